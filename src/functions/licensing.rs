//! Licences: appliances, the licences they have, and the reservations that migrations take.

use rhai::Dynamic;

use crate::client::{Request, Service, licensing};
use crate::error::{Error, Result};
use crate::functions::files::read_text;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::settle;

const APPLIANCE: Parameter = Parameter::required("appliance_id", Kind::Text, "The id of the appliance.");
const LICENCE: Parameter = Parameter::required("licence_id", Kind::Text, "The id of the licence.");
const RESERVATION: Parameter = Parameter::required("reservation_id", Kind::Text, "The id of the reservation.");

const REGISTER: &[Key] = &[
    Key::new("licence_pem", Kind::Text, "The licence's text; this or the file."),
    Key::new("licence_pem_file", Kind::Path, "The file that holds it, relative to the runbook's folder."),
];

/// An example that asks an appliance and says what is missing if there is none.
macro_rules! ask {
    ($ask:literal) => {
        concat!(
            "try { for appliance in licensing_appliance_list() { let a = appliance.id; ",
            $ask,
            " } } catch (e) { print(e.message); }"
        )
    };
}

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("licensing_server_status", "Ask for the status of the licensing server.")
            .returns(Returns::value("the status of the licensing server"))
            .sends(&[Sends::reads("GET /status").to(Service::Licensing)])
            .example("try { print(licensing_server_status()); } catch (e) { print(e.message); }"),
        body: server_status,
    },
    Function {
        spec: Spec::reads("licensing_appliance_list", "List the appliances that the licensing server knows.")
            .returns(Returns::values("appliances"))
            .sends(&[Sends::reads("GET /appliances").to(Service::Licensing)])
            .example(ask!("print(a);")),
        body: appliance_list,
    },
    Function {
        spec: Spec::reads("licensing_appliance_show", "Show an appliance.")
            .parameters(&[APPLIANCE])
            .returns(Returns::value("the appliance"))
            .sends(&[Sends::reads("GET /appliances/{appliance}").to(Service::Licensing)])
            .example(ask!("print(licensing_appliance_show(a).id);")),
        body: appliance_show,
    },
    Function {
        spec: Spec::changes("licensing_appliance_create", "Create an appliance.")
            .returns(Returns::value("the appliance"))
            .sends(&[Sends::changes("POST /appliances", Again::Asked).to(Service::Licensing)])
            .example("try { print(licensing_appliance_create().id); } catch (e) { print(e.message); }"),
        body: appliance_create,
    },
    Function {
        spec: Spec::reads("licensing_appliance_status", "Ask for the rest of an appliance's licences.")
            .parameters(&[APPLIANCE])
            .returns(Returns::value("the number of migrations that the appliance's licences still allow"))
            .sends(&[Sends::reads("GET /appliances/{appliance}/status").to(Service::Licensing)])
            .example(ask!("print(licensing_appliance_status(a));")),
        body: appliance_status,
    },
    Function {
        spec: Spec::reads("licensing_licence_list", "List an appliance's licences.")
            .parameters(&[APPLIANCE])
            .returns(Returns::values("licences"))
            .sends(&[Sends::reads("GET /appliances/{appliance}/licences").to(Service::Licensing)])
            .example(ask!("print(licensing_licence_list(a).len());")),
        body: licence_list,
    },
    Function {
        spec: Spec::reads("licensing_licence_show", "Show a licence.")
            .parameters(&[APPLIANCE, LICENCE])
            .returns(Returns::value("the licence"))
            .sends(&[Sends::reads("GET /appliances/{appliance}/licences/{licence}").to(Service::Licensing)])
            .example(ask!(
                "for licence in licensing_licence_list(a) { print(licensing_licence_show(a, licence.id).id); }"
            )),
        body: licence_show,
    },
    Function {
        spec: Spec::changes("licensing_licence_register", "Register a licence with an appliance.")
            .parameters(&[APPLIANCE, Parameter::required("options", Kind::Options(&[REGISTER]), "The licence.")])
            .returns(Returns::value("the licence"))
            .sends(&[Sends::changes("POST /appliances/{appliance}/licences", Again::Asked).to(Service::Licensing)])
            .example(ask!("print(licensing_licence_register(a, #{ licence_pem: \"-----BEGIN LICENCE-----\" }).id);")),
        body: licence_register,
    },
    Function {
        spec: Spec::changes("licensing_licence_delete", "Delete a licence of an appliance.")
            .parameters(&[APPLIANCE, LICENCE])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /appliances/{appliance}/licences/{licence}", Again::Asked)
                .to(Service::Licensing)])
            .example(ask!("for licence in licensing_licence_list(a) { licensing_licence_delete(a, licence.id); }")),
        body: licence_delete,
    },
    Function {
        spec: Spec::reads("licensing_reservation_list", "List the reservations of an appliance.")
            .parameters(&[APPLIANCE])
            .returns(Returns::values("reservations"))
            .sends(&[Sends::reads("GET /appliances/{appliance}/reservations").to(Service::Licensing)])
            .example(ask!("print(licensing_reservation_list(a).len());")),
        body: reservation_list,
    },
    Function {
        spec: Spec::reads("licensing_reservation_show", "Show a reservation.")
            .parameters(&[APPLIANCE, RESERVATION])
            .returns(Returns::value("the reservation"))
            .sends(&[Sends::reads("GET /appliances/{appliance}/reservations/{reservation}").to(Service::Licensing)])
            .example(ask!(
                "for found in licensing_reservation_list(a) { print(licensing_reservation_show(a, found.id).id); }"
            )),
        body: reservation_show,
    },
    Function {
        spec: Spec::changes("licensing_reservation_refresh", "Refresh a reservation, so that it lasts longer.")
            .parameters(&[APPLIANCE, RESERVATION])
            .returns(Returns::value("the reservation"))
            .sends(&[Sends::changes("POST /appliances/{appliance}/reservations/{reservation}/refresh", Again::Asked)
                .to(Service::Licensing)])
            .example(ask!(
                "for found in licensing_reservation_list(a) { licensing_reservation_refresh(a, found.id); }"
            )),
        body: reservation_refresh,
    },
];

fn server_status(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::server_status())
}

fn appliance_list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::appliances())
}

fn appliance_show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::appliance(&call.text("appliance_id")))
}

fn appliance_create(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    change(call, &licensing::create_appliance())
}

fn appliance_status(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::appliance_status(&call.text("appliance_id")))
}

fn licence_list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::licences(&call.text("appliance_id")))
}

fn licence_show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::licence(&call.text("appliance_id"), &call.text("licence_id")))
}

fn licence_register(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let options = call.options();
    let pem = match (options.text("licence_pem"), options.text("licence_pem_file")) {
        (Some(pem), None) => pem,
        (None, Some(path)) => read_text(call, &path)?,
        _ => return Err(Error::script("a licence needs either `licence_pem` or `licence_pem_file`").into()),
    };
    change(call, &licensing::register(&call.text("appliance_id"), &pem))
}

fn licence_delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    change(call, &licensing::delete_licence(&call.text("appliance_id"), &call.text("licence_id")))
}

fn reservation_list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::reservations(&call.text("appliance_id")))
}

fn reservation_show(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    read(call, &licensing::reservation(&call.text("appliance_id"), &call.text("reservation_id")))
}

fn reservation_refresh(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    change(call, &licensing::refresh(&call.text("appliance_id"), &call.text("reservation_id")))
}

fn read(call: &Call<'_>, request: &Request) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read(request)?))
}

fn change(call: &mut Call<'_>, request: &Request) -> Result<Dynamic, Fault> {
    let answer = settle::ask(call, request)?;
    Ok(call.shown(answer))
}
