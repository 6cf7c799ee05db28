//! Licences, kept by a separate service that wants no token.

use serde_json::Value;

use super::request::{Answer, Repeat, Request, Service, segment};

pub fn server_status() -> Request {
    get("status".to_owned(), Answer::Field("status"))
}

pub fn appliances() -> Request {
    get("appliances".to_owned(), Answer::List("appliances"))
}

pub fn appliance(appliance: &str) -> Request {
    get(of(appliance), Answer::Field("appliance"))
}

pub fn appliance_status(appliance: &str) -> Request {
    get(format!("{}/status", of(appliance)), Answer::Field("appliance_licence_status"))
}

pub fn create_appliance() -> Request {
    post("appliances".to_owned(), Value::Null, Answer::Field("appliance"), Repeat::Find).without_body()
}

pub fn licences(appliance: &str) -> Request {
    get(format!("{}/licences", of(appliance)), Answer::List("licences"))
}

pub fn licence(appliance: &str, licence: &str) -> Request {
    get(format!("{}/licences/{}", of(appliance), segment(licence)), Answer::Field("licence"))
}

/// `pem` is the text of the licence, sent unchanged.
pub fn register(appliance: &str, pem: &str) -> Request {
    post(format!("{}/licences", of(appliance)), pem.into(), Answer::Field("licence"), Repeat::Find)
}

pub fn delete_licence(appliance: &str, licence: &str) -> Request {
    Request::delete(format!("{}/licences/{}", of(appliance), segment(licence))).to(Service::Licensing)
}

pub fn reservations(appliance: &str) -> Request {
    get(format!("{}/reservations", of(appliance)), Answer::List("reservations"))
}

pub fn reservation(appliance: &str, reservation: &str) -> Request {
    get(format!("{}/reservations/{}", of(appliance), segment(reservation)), Answer::Field("reservation"))
}

pub fn refresh(appliance: &str, reservation: &str) -> Request {
    let path = format!("{}/reservations/{}/refresh", of(appliance), segment(reservation));
    post(path, Value::Null, Answer::Field("reservation"), Repeat::Safe).without_body()
}

fn of(appliance: &str) -> String {
    format!("appliances/{}", segment(appliance))
}

fn get(path: String, answer: Answer) -> Request {
    Request::get(path, answer).to(Service::Licensing)
}

fn post(path: String, body: Value, answer: Answer, repeat: Repeat) -> Request {
    Request::post(path, body, answer, repeat).to(Service::Licensing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Method;

    #[test]
    fn requests_are_what_the_official_client_sends() {
        let told = |request: Request| (request.method, request.path, request.answer, request.body.is_some());
        let field = Answer::Field;
        let table = [
            (server_status(), Method::Get, "status", field("status"), false),
            (appliances(), Method::Get, "appliances", Answer::List("appliances"), false),
            (appliance("A"), Method::Get, "appliances/A", field("appliance"), false),
            (appliance_status("A"), Method::Get, "appliances/A/status", field("appliance_licence_status"), false),
            (create_appliance(), Method::Post, "appliances", field("appliance"), false),
            (licences("A"), Method::Get, "appliances/A/licences", Answer::List("licences"), false),
            (licence("A", "L"), Method::Get, "appliances/A/licences/L", field("licence"), false),
            (register("A", "PEM"), Method::Post, "appliances/A/licences", field("licence"), true),
            (delete_licence("A", "L"), Method::Delete, "appliances/A/licences/L", Answer::Empty, false),
            (reservations("A"), Method::Get, "appliances/A/reservations", Answer::List("reservations"), false),
            (reservation("A", "R"), Method::Get, "appliances/A/reservations/R", field("reservation"), false),
            (refresh("A", "R"), Method::Post, "appliances/A/reservations/R/refresh", field("reservation"), false),
        ];
        for (request, method, path, answer, body) in table {
            assert_eq!(request.service, Service::Licensing);
            assert_eq!(told(request), (method, path.to_owned(), answer, body));
        }
    }
}
