//! Secrets in Barbican: connections are kept there, so that Coriolis' database does not hold passwords.

use rhai::Dynamic;
use serde_json::Value;

use crate::client::Service;
use crate::client::secrets;
use crate::error::{Error, Result};
use crate::language::arguments::text_of;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::{Again, Sends};
use crate::language::spec::{Key, Kind, Noun, Parameter, Spec};
use crate::language::value::{Secret, Secrets, to_json};
use crate::runtime::call::{Call, Guard, unguarded};
use crate::runtime::found::Found;
use crate::runtime::function::Function;
use crate::runtime::settle;

use crate::functions::files::read_text;
use crate::functions::resolve;

const SECRET: Parameter = Parameter::required(
    "secret",
    Kind::Reference(Noun::Secret),
    "The secret: its `secret_ref`, its id, or the object.",
);

const STORE: &[Key] = &[
    Key::new("payload", Kind::Any, "The content: a text, a secret, or an object map, which is stored as JSON.")
        .required()
        .secret(),
    Key::new("name", Kind::Text, "Its name for people; default: none."),
];

const LIST: &[Key] = &[Key::new("name", Kind::Name(Noun::Secret), "Only those with this name; default: all.")];

/// The requests of [`keep`].
pub const KEEP: Sends = Sends::changes("POST /v1/secrets", Again::Marked("mode")).to(Service::Secrets);

/// The beginning of the examples that need a secret.
const A_SECRET: &str = "let s = secret_store(#{ name: \"vcenter\", payload: #{ host: \"vc\", password: \"p\" } });\n";

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::pure("secret_env", "Get a secret from the environment; it is not kept, and a resumed run reads it again.")
            .parameters(&[Parameter::required("name", Kind::Text, "The name of the variable.")])
            .returns(Returns::value("the value, as a secret: it goes into requests and prints as `***`"))
            .example("try { secret_env(\"VCENTER_PASSWORD\"); } catch (e) { print(e.message); }"),
        body: of_environment,
    },
    Function {
        spec: Spec::pure("secret_file", "Get a secret from a file; it is not kept, and a resumed run reads it again.")
            .parameters(&[Parameter::required("path", Kind::Path, "Relative to the runbook's folder.")])
            .returns(Returns::value("the content of the file without its last line break, as a secret: it goes into \
                                     requests and prints as `***`"))
            .example("try { secret_file(\"vcenter.password\"); } catch (e) { print(e.kind); }"),
        body: of_file,
    },
    Function {
        spec: Spec::pure("secret_prompt", "Ask for a secret on the terminal, unseen, once for each question; it is not kept, and a resumed run asks again.")
            .parameters(&[Parameter::required("question", Kind::Text, "The question.")])
            .returns(Returns::value("the input, as a secret: it goes into requests and prints as `***`"))
            .example("try { secret_prompt(\"password of vcenter\"); } catch (e) { print(e.kind); }"),
        body: of_prompt,
    },
    Function {
        spec: Spec::changes("secret_store", "Store a secret in Barbican; a second one of the same name is another secret.")
            .noun_verb()
            .parameters(&[Parameter::required("options", Kind::Options(&[STORE]), "What to keep.")])
            .returns(Returns::map(&["secret_ref"]).with(", the address of the secret"))
            .sends(&[KEEP])
            .given(A_SECRET)
.example("print(endpoint_create(#{ name: \"vc\", provider: \"vmware_vsphere\", connection_secret: s, skip_validation: true }).name);"),
        body: store,
    },
    Function {
        spec: Spec::reads("secret_get", "Show a secret's name, status and times.")
            .aliases(&["secret_show"])
            .noun_verb()
            .parameters(&[SECRET])
            .returns(Returns::value("the metadata of the secret, without its payload"))
            .sends(&[Sends::reads("GET /v1/secrets/{secret}").to(Service::Secrets)])
            .given(A_SECRET)
.example("print(secret_get(s).name);"),
        body: get,
    },
    Function {
        spec: Spec::reads("secret_payload", "Get the payload of a secret, without showing it.")
            .parameters(&[SECRET])
            .returns(Returns::value("the payload, as a secret: it goes into requests and prints as `***`"))
            .sends(&[Sends::reads("GET /v1/secrets/{secret}/payload").to(Service::Secrets)])
            .given(A_SECRET)
.example("print(secret_payload(s));"),
        body: payload,
    },
    Function {
        spec: Spec::reads("secret_list", "List the secrets, all pages of them.")
            .noun_verb()
            .parameters(&[Parameter::optional("options", Kind::Options(&[LIST]), "Which.")])
            .returns(Returns::list(Noun::Secret).with(", without their payloads"))
            .sends(&[Sends::reads("GET /v1/secrets").to(Service::Secrets)])
            .given(A_SECRET)
.example("print(secret_list(#{ name: \"vcenter\" }).len());"),
        body: list,
    },
    Function {
        spec: Spec::changes("secret_delete", "Delete a secret; an endpoint that refers to it no longer connects.")
            .noun_verb()
            .parameters(&[SECRET])
            .returns(Returns::NOTHING)
            .sends(&[Sends::changes("DELETE /v1/secrets/{secret}", Again::Safe).to(Service::Secrets)])
            .given(A_SECRET)
.example("secret_delete(s);"),
        body: delete,
    },
];

fn of_environment(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let name = call.text("name");
    let value = call.host.environment.get(&name).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| {
        Error::input(format!("the variable `{name}` is not set"))
            .hint(format!("set it in the environment of the run: `read -rs {name}; export {name}`"))
    })?;
    Ok(met(call, value))
}

fn of_file(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let path = call.text("path");
    let text = read_text(call, &path)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Error::input(format!("`{path}` is empty")).into());
    }
    Ok(met(call, text))
}

fn of_prompt(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let typed = call.host.gates.secret(&call.label("question"))?;
    Ok(met(call, &typed))
}

/// A secret from outside: masked from now on.
fn met(call: &Call<'_>, text: &str) -> Dynamic {
    call.host.meet_secret(text);
    Dynamic::from(Secret::new(text))
}

fn store(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let payload = to_json(&call.options().get("payload").cloned().unwrap_or_default(), Secrets::Exposed)?;
    let name = call.options().text("name");
    let stored = keep(call, name.as_deref(), &payload, &unguarded)?;
    Ok(call.shown(stored))
}

fn get(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = secret_of(&call.argument("secret"))?;
    Ok(call.shown(secrets::unmarked(call.read(&secrets::show(&id))?)))
}

fn payload(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = secret_of(&call.argument("secret"))?;
    let payload = call.read(&secrets::payload(&id))?;
    Ok(Dynamic::from(Secret::new(payload.as_str().unwrap_or_default())))
}

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let name = call.options().text("name");
    let mut all: Vec<Value> = Vec::new();
    loop {
        let page = call.read(&secrets::list(name.as_deref(), all.len()))?;
        let found = page["secrets"].as_array().cloned().unwrap_or_default();
        let last = found.len() < secrets::PAGE;
        all.extend(found.into_iter().map(secrets::unmarked));
        if last {
            return Ok(call.shown(all.into()));
        }
    }
}

fn delete(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let id = secret_of(&call.argument("secret"))?;
    settle::remove(call, &secrets::delete(&id))?;
    Ok(Dynamic::UNIT)
}

/// Stores a value; answers `{"secret_ref": URL}`. `guard` is asked whenever it is about to leave. When the answer is
/// lost, the mark shows if it was stored.
///
/// # Errors
/// `Script` for an empty value; that of the guard; those of the server or the network.
pub fn keep(call: &Call<'_>, name: Option<&str>, payload: &Value, guard: Guard<'_>) -> Result<Value> {
    let text = match payload {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    if text.is_empty() {
        return Err(Error::script("an empty secret cannot be stored").detail("key", "payload"));
    }
    let mark = call.marker().to_string();
    settle::change(call, &secrets::store(name, &text, &mark), guard, |call, _| {
        let found = call.read(&secrets::marked(&mark))?;
        let stored = found.as_array().into_iter().flatten().filter_map(|secret| secret["secret_ref"].as_str());
        Ok(Found::marked(stored.map(secrets::reference).collect()))
    })
}

/// The reference of a secret that a script names: its text, or its object's `secret_ref`.
///
/// # Errors
/// `Script` for a value that does not name a secret.
pub fn secret_of(value: &Dynamic) -> Result<String> {
    let text = resolve::field(value, "secret_ref").or_else(|| (!value.is_map()).then(|| text_of(value)));
    text.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        Error::script("this does not name a secret").hint("give its `secret_ref`, or the result of `secret_store`")
    })
}
