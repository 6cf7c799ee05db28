//! Licences: appliances, the licences they have, and the reservations that migrations take.

use rhai::Dynamic;

use super::files::read_text;
use crate::client::{Request, Service, licensing};
use crate::error::{Error, Result};
use crate::script::call::Call;
use crate::script::error::Fault;
use crate::script::function::{Effect, Function, Key, Kind, Parameter};
use crate::script::sends::{Again, Sends};
use crate::script::settle;

const APPLIANCE: Parameter = Parameter::required("appliance_id", Kind::Text, "The id of the appliance.");
const LICENCE: Parameter = Parameter::required("licence_id", Kind::Text, "The id of the licence.");
const RESERVATION: Parameter = Parameter::required("reservation_id", Kind::Text, "The id of the reservation.");

const REGISTER: &[Key] = &[
    Key::new("licence_pem", Kind::Text, "The licence's text; this or the file."),
    Key::new("licence_pem_file", Kind::Path, "The file that holds it, relative to the runbook's folder."),
];

/// An example that asks an appliance and says what is missing where there is none.
macro_rules! ask {
    ($ask:literal) => {
        concat!(
            "try { for appliance in licensing_appliance_list() { let a = appliance.id; ",
            $ask,
            " } } catch (e) { print(e.message); }"
        )
    };
}

const fn row(
    name: &'static str,
    parameters: &'static [Parameter],
    (result, summary): (&'static str, &'static str),
    example: &'static str,
    sends: &'static [Sends],
    effect: Effect,
    body: fn(&mut Call<'_>) -> Result<Dynamic, Fault>,
) -> Function {
    Function { name, aliases: &[], parameters, result, summary, example, sends, effect, noun_verb: false, body }
}

pub const ROWS: &[Function] = &[
    row(
        "licensing_server_status",
        &[],
        ("what the licensing server says of itself", "Ask how the licensing server is."),
        "try { print(licensing_server_status()); } catch (e) { print(e.message); }",
        &[Sends::reads("GET /status").to(Service::Licensing)],
        Effect::Reads,
        server_status,
    ),
    row(
        "licensing_appliance_list",
        &[],
        ("a list of appliances", "List the appliances that the licensing server knows."),
        ask!("print(a);"),
        &[Sends::reads("GET /appliances").to(Service::Licensing)],
        Effect::Reads,
        appliance_list,
    ),
    row(
        "licensing_appliance_show",
        &[APPLIANCE],
        ("the appliance", "Show an appliance."),
        ask!("print(licensing_appliance_show(a).id);"),
        &[Sends::reads("GET /appliances/{appliance}").to(Service::Licensing)],
        Effect::Reads,
        appliance_show,
    ),
    row(
        "licensing_appliance_create",
        &[],
        ("the appliance", "Create an appliance."),
        "try { print(licensing_appliance_create().id); } catch (e) { print(e.message); }",
        &[Sends::changes("POST /appliances", Again::Asked).to(Service::Licensing)],
        Effect::Changes,
        appliance_create,
    ),
    row(
        "licensing_appliance_status",
        &[APPLIANCE],
        ("how many migrations the appliance's licences still allow", "Ask what an appliance's licences allow."),
        ask!("print(licensing_appliance_status(a));"),
        &[Sends::reads("GET /appliances/{appliance}/status").to(Service::Licensing)],
        Effect::Reads,
        appliance_status,
    ),
    row(
        "licensing_licence_list",
        &[APPLIANCE],
        ("a list of licences", "List an appliance's licences."),
        ask!("print(licensing_licence_list(a).len());"),
        &[Sends::reads("GET /appliances/{appliance}/licences").to(Service::Licensing)],
        Effect::Reads,
        licence_list,
    ),
    row(
        "licensing_licence_show",
        &[APPLIANCE, LICENCE],
        ("the licence", "Show a licence."),
        ask!("for licence in licensing_licence_list(a) { print(licensing_licence_show(a, licence.id).id); }"),
        &[Sends::reads("GET /appliances/{appliance}/licences/{licence}").to(Service::Licensing)],
        Effect::Reads,
        licence_show,
    ),
    row(
        "licensing_licence_register",
        &[APPLIANCE, Parameter::required("options", Kind::Options(&[REGISTER]), "The licence.")],
        ("the licence", "Register a licence with an appliance."),
        ask!("print(licensing_licence_register(a, #{ licence_pem: \"-----BEGIN LICENCE-----\" }).id);"),
        &[Sends::changes("POST /appliances/{appliance}/licences", Again::Asked).to(Service::Licensing)],
        Effect::Changes,
        licence_register,
    ),
    row(
        "licensing_licence_delete",
        &[APPLIANCE, LICENCE],
        ("nothing", "Delete a licence of an appliance."),
        ask!("for licence in licensing_licence_list(a) { licensing_licence_delete(a, licence.id); }"),
        &[Sends::changes("DELETE /appliances/{appliance}/licences/{licence}", Again::Asked).to(Service::Licensing)],
        Effect::Changes,
        licence_delete,
    ),
    row(
        "licensing_reservation_list",
        &[APPLIANCE],
        ("a list of reservations", "List the reservations of an appliance."),
        ask!("print(licensing_reservation_list(a).len());"),
        &[Sends::reads("GET /appliances/{appliance}/reservations").to(Service::Licensing)],
        Effect::Reads,
        reservation_list,
    ),
    row(
        "licensing_reservation_show",
        &[APPLIANCE, RESERVATION],
        ("the reservation", "Show a reservation."),
        ask!("for found in licensing_reservation_list(a) { print(licensing_reservation_show(a, found.id).id); }"),
        &[Sends::reads("GET /appliances/{appliance}/reservations/{reservation}").to(Service::Licensing)],
        Effect::Reads,
        reservation_show,
    ),
    row(
        "licensing_reservation_refresh",
        &[APPLIANCE, RESERVATION],
        ("the reservation", "Refresh a reservation, so that it lasts longer."),
        ask!("for found in licensing_reservation_list(a) { licensing_reservation_refresh(a, found.id); }"),
        &[Sends::changes("POST /appliances/{appliance}/reservations/{reservation}/refresh", Again::Asked)
            .to(Service::Licensing)],
        Effect::Changes,
        reservation_refresh,
    ),
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
        _ => return Err(Error::script("a licence wants either `licence_pem` or `licence_pem_file`").into()),
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
