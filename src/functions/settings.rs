//! Settings that several functions accept in several forms: object maps from files, names of regions, `enabled` and
//! `disabled`.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::functions::files::read_text;
use crate::functions::resolve;
use crate::language::arguments::text_of;
use crate::language::spec::{Key, Kind, Noun};
use crate::runtime::call::Call;

pub const ENABLED: Key = Key::new("enabled", Kind::Flag, "Enables it; default true.");
pub const DISABLED: Key = Key::new("disabled", Kind::Flag, "The opposite of `enabled`; default false.");

/// The fields of `user_scripts`, as in the API.
pub const USER_SCRIPTS: &[Key] = &[
    Key::new("global", Kind::Options(&[SYSTEMS]), "System to script, for every VM of that system."),
    Key::new("instances", Kind::Map, "VM to script; `()` removes one."),
];

const SCRIPT: &str = "The script's text, or a list of `#{ payload, phase }`; `()` removes it.";

const SYSTEMS: &[Key] = &[
    Key::new("linux", Kind::Any, SCRIPT),
    Key::new("windows", Kind::Any, SCRIPT),
    Key::new("bsd", Kind::Any, SCRIPT),
    Key::new("osx", Kind::Any, SCRIPT),
    Key::new("solaris", Kind::Any, SCRIPT),
];

const SCRIPT_FILE: &str = "The script's file, relative to the runbook's folder; `()` removes the script.";

const SYSTEM_FILES: &[Key] = &[
    Key::new("linux", Kind::Path, SCRIPT_FILE),
    Key::new("windows", Kind::Path, SCRIPT_FILE),
    Key::new("bsd", Kind::Path, SCRIPT_FILE),
    Key::new("osx", Kind::Path, SCRIPT_FILE),
    Key::new("solaris", Kind::Path, SCRIPT_FILE),
];

pub const USER_SCRIPT_GLOBAL: Key = Key::new(
    "user_script_global",
    Kind::Options(&[SYSTEM_FILES]),
    "System to the path of a script that runs in every VM of that system; default: none.",
);
pub const USER_SCRIPT_INSTANCE: Key =
    Key::new("user_script_instance", Kind::Map, "VM to the path of a script that runs in it; default: none.");

pub const MAPPED_REGIONS: Key =
    Key::new("mapped_regions", Kind::Names(Noun::Region), "Regions, by name or id; default: none, or those it has.")
        .aliases(&["coriolis_region", "regions"]);

/// Puts a flag with two opposite words into the fields of a request.
///
/// # Errors
/// `Script` when the words contradict each other.
pub fn put_switch(call: &Call<'_>, fields: &mut Map<String, Value>, yes: &str, no: &str) -> Result<()> {
    if let Some(flag) = call.options().switch(yes, no)? {
        fields.insert(yes.to_owned(), flag.into());
    }
    Ok(())
}

/// Puts the ids of the regions in the options into the fields of a request.
///
/// # Errors
/// `NotFound` and `Ambiguous` for a name.
pub fn put_regions(call: &Call<'_>, fields: &mut Map<String, Value>) -> Result<()> {
    if let Some(regions) = call.options().texts("mapped_regions") {
        let ids =
            regions.into_iter().map(|region| resolve::region(call, &region.into())).collect::<Result<Vec<_>>>()?;
        fields.insert("mapped_regions".to_owned(), ids.into());
    }
    Ok(())
}

/// Puts an object, given as a map or as the path of a JSON file, into the fields of a request.
///
/// # Errors
/// `Script` if both are given, `Input` for a file that cannot be read or holds no object.
pub fn put_map_or_file(call: &Call<'_>, fields: &mut Map<String, Value>, name: &str, file: &str) -> Result<()> {
    if let Some(value) = map_or_file(call, name, file)? {
        fields.insert(name.to_owned(), value);
    }
    Ok(())
}

/// An object that is given as a map, or as the path of a JSON file.
///
/// # Errors
/// As [`put_map_or_file`].
pub fn map_or_file(call: &Call<'_>, name: &str, file: &str) -> Result<Option<Value>> {
    let written = call.options().body(&[name])?.remove(name).filter(|value| !value.is_null());
    let Some(path) = call.options().text(file) else { return Ok(written) };
    if written.is_some() {
        return Err(Error::script(format!("`{name}` and `{file}` are both given"))
            .hint("give one of them")
            .detail("key", file));
    }
    let value: Value = serde_json::from_str(&read_text(call, &path)?)
        .map_err(|error| Error::input(format!("`{path}` is not JSON: {error}")).detail("key", file))?;
    if !value.is_object() {
        return Err(Error::input(format!("`{path}` does not contain a JSON object")).detail("key", file));
    }
    Ok(Some(value))
}

/// Adds the scripts in the named files to those in `user_scripts`.
///
/// # Errors
/// `Script` if one is given in both ways, `Input` for a file that cannot be read.
pub fn put_user_scripts(call: &Call<'_>, fields: &mut Map<String, Value>) -> Result<()> {
    for (option, group) in [("user_script_global", "global"), ("user_script_instance", "instances")] {
        let Some(Value::Object(paths)) = call.options().body(&[option])?.remove(option) else { continue };
        for (of, path) in paths {
            let text = match path {
                Value::String(path) => read_text(call, &path)?,
                // Null removes a script.
                Value::Null => String::new(),
                _ => return Err(Error::script(format!("`{of}` of `{option}` must be a path")).detail("key", option)),
            };
            let script = if text.is_empty() { Value::Null } else { text.into() };
            let scripts = fields.entry("user_scripts").or_insert_with(|| json!({}));
            if scripts[group].get(&of).is_some() {
                return Err(Error::script(format!(
                    "the script of `{of}` is given twice, in `user_scripts` and `{option}`"
                ))
                .detail("key", option));
            }
            scripts[group][&of] = script;
        }
    }
    Ok(())
}

/// The name of a new object: the first argument, or the option of that name.
///
/// # Errors
/// `Script` if there is none, or two.
pub fn name(call: &Call<'_>) -> Result<String> {
    match (call.value("name").map(text_of), call.options().text("name")) {
        (Some(name), None) | (None, Some(name)) if !name.trim().is_empty() => Ok(name),
        (Some(_), Some(_)) => Err(Error::script("the name is given twice").detail("key", "name")),
        _ => Err(Error::script(format!("`{}` needs a name", call.function.name))),
    }
}
