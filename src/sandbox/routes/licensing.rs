//! The licensing service's routes. It needs no token.

use serde_json::{Value, json};

use super::call::{Answer, Incoming, Services};
use crate::sandbox::world::licensing::{Denied, PREFIX};

pub(super) fn answer(services: Services<'_>, incoming: &Incoming) -> Answer {
    let Services { cloud, now, .. } = services;
    let path = incoming.path.strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let performed = cloud.copied_instances(now);
    let licensing = &mut cloud.licensing;
    let of = |name: &str, value: Value| json!({name: value});
    let answered: Result<Value, Denied> = match (incoming.method.as_str(), segments.as_slice()) {
        ("GET", ["status"]) => Ok(of("status", licensing.status(now))),
        ("GET", ["appliances"]) => Ok(of("appliances", licensing.appliances())),
        ("POST", ["appliances"]) => {
            let made = licensing.create(now);
            // The official client reads a misspelt key.
            Ok(json!({"appliance": made, "apppliance": made}))
        }
        ("GET", ["appliances", id]) => licensing.appliance(id).map(|shown| of("appliance", shown)),
        ("GET", ["appliances", id, "status"]) => {
            licensing.appliance_status(id, performed).map(|status| of("appliance_licence_status", status))
        }
        ("GET", ["appliances", id, "licences"]) => licensing.licences(id).map(|all| of("licences", all)),
        ("POST", ["appliances", id, "licences"]) => {
            let pem = String::from_utf8_lossy(&incoming.body);
            licensing.register(id, &pem, now).map(|licence| of("licence", licence))
        }
        ("GET", ["appliances", id, "licences", licence]) => {
            licensing.licence(id, licence).map(|licence| of("licence", licence))
        }
        ("DELETE", ["appliances", id, "licences", licence]) => match licensing.delete(id, licence) {
            Ok(()) => return Answer::new(204, "", Vec::new()),
            Err(denied) => Err(denied),
        },
        ("GET", ["appliances", id, "reservations"]) => licensing.reservations(id).map(|all| of("reservations", all)),
        ("GET", ["appliances", id, "reservations", reservation])
        | ("POST", ["appliances", id, "reservations", reservation, "refresh"]) => {
            licensing.reservation(id, reservation).map(|shown| of("reservation", shown))
        }
        _ => Err((404, "The resource could not be found.".into())),
    };
    match answered {
        Ok(body) => Answer::json(200, &body),
        Err((status, message)) => Answer::json(status, &json!({"error": {"code": status, "message": message}})),
    }
}
