//! Licences: appliances, the licences they have, and the reservations that migrations take.

use rhai::Dynamic;

use super::files::read_text;
use crate::client::{Request, licensing};
use crate::error::{Error, Result};
use crate::script::call::Call;
use crate::script::error::Fault;
use crate::script::function::{Effect, Function, Key, Kind, Parameter};
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
    effect: Effect,
    body: fn(&mut Call<'_>) -> Result<Dynamic, Fault>,
) -> Function {
    Function { name, aliases: &[], parameters, result, summary, example, effect, noun_verb: false, body }
}

pub const ROWS: &[Function] = &[
    row(
        "licensing_server_status",
        &[],
        ("what the licensing server says of itself", "Ask how the licensing server is."),
        "try { print(licensing_server_status()); } catch (e) { print(e.message); }",
        Effect::Reads,
        server_status,
    ),
    row(
        "licensing_appliance_list",
        &[],
        ("a list of appliances", "List the appliances that the licensing server knows."),
        ask!("print(a);"),
        Effect::Reads,
        appliance_list,
    ),
    row(
        "licensing_appliance_show",
        &[APPLIANCE],
        ("the appliance", "Show an appliance."),
        ask!("print(licensing_appliance_show(a).id);"),
        Effect::Reads,
        appliance_show,
    ),
    row(
        "licensing_appliance_create",
        &[],
        ("the appliance", "Create an appliance."),
        "try { print(licensing_appliance_create().id); } catch (e) { print(e.message); }",
        Effect::Changes,
        appliance_create,
    ),
    row(
        "licensing_appliance_status",
        &[APPLIANCE],
        ("how many migrations the appliance's licences still allow", "Ask what an appliance's licences allow."),
        ask!("print(licensing_appliance_status(a));"),
        Effect::Reads,
        appliance_status,
    ),
    row(
        "licensing_licence_list",
        &[APPLIANCE],
        ("a list of licences", "List an appliance's licences."),
        ask!("print(licensing_licence_list(a).len());"),
        Effect::Reads,
        licence_list,
    ),
    row(
        "licensing_licence_show",
        &[APPLIANCE, LICENCE],
        ("the licence", "Show a licence."),
        ask!("for licence in licensing_licence_list(a) { print(licensing_licence_show(a, licence.id).id); }"),
        Effect::Reads,
        licence_show,
    ),
    row(
        "licensing_licence_register",
        &[APPLIANCE, Parameter::required("options", Kind::Options(&[REGISTER]), "The licence.")],
        ("the licence", "Register a licence with an appliance."),
        ask!("print(licensing_licence_register(a, #{ licence_pem: \"-----BEGIN LICENCE-----\" }).id);"),
        Effect::Changes,
        licence_register,
    ),
    row(
        "licensing_licence_delete",
        &[APPLIANCE, LICENCE],
        ("nothing", "Delete a licence of an appliance."),
        ask!("for licence in licensing_licence_list(a) { licensing_licence_delete(a, licence.id); }"),
        Effect::Changes,
        licence_delete,
    ),
    row(
        "licensing_reservation_list",
        &[APPLIANCE],
        ("a list of reservations", "List the reservations of an appliance."),
        ask!("print(licensing_reservation_list(a).len());"),
        Effect::Reads,
        reservation_list,
    ),
    row(
        "licensing_reservation_show",
        &[APPLIANCE, RESERVATION],
        ("the reservation", "Show a reservation."),
        ask!("for found in licensing_reservation_list(a) { print(licensing_reservation_show(a, found.id).id); }"),
        Effect::Reads,
        reservation_show,
    ),
    row(
        "licensing_reservation_refresh",
        &[APPLIANCE, RESERVATION],
        ("the reservation", "Refresh a reservation, so that it lasts longer."),
        ask!("for found in licensing_reservation_list(a) { licensing_reservation_refresh(a, found.id); }"),
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
