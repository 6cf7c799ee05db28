//! The places that may hold a setting, first place first.

use std::collections::BTreeMap;
use std::path::Path;

use super::file;
use super::flags::CloudFlags;
use super::setting::{ROWS, Row, Setting, Values};
use super::sourced::{Note, Origin, Read, Sourced};
use crate::error::Result;

/// The values of all places, the first one first. Holds secrets, so it cannot be shown.
pub(super) struct Layers {
    places: Vec<Values>,
    named: Option<Named>,
    clouds: String,
    notes: Vec<Note>,
}

/// A cloud of clouds.yaml that was named, and the environment in which that was done.
pub(super) struct Named {
    pub name: String,
    pub cloud: Values,
    pub environment: Values,
}

impl Layers {
    pub fn new(
        flags: &CloudFlags,
        environment: &BTreeMap<String, String>,
        directory: &Path,
        read: Read<'_>,
    ) -> Result<Self> {
        let flags = flags.place();
        let (variables, mut notes) = variables(environment);
        let files = file::Files { environment, directory, read };
        let mut named = None;
        let mut remember = |name: &Sourced<String>, cloud: &Values, environment: &Values| {
            named = Some(Named { name: name.value.clone(), cloud: cloud.clone(), environment: environment.clone() });
        };
        let places = match (flags.get(&Setting::Cloud), variables.get(&Setting::Cloud)) {
            (Some(cloud), _) => {
                let (place, said) = files.cloud(cloud, flags.get(&Setting::RegionName))?;
                notes.extend(said);
                remember(cloud, &place, &variables);
                vec![flags, place, variables]
            }
            (None, Some(cloud)) => {
                let region = flags.get(&Setting::RegionName).or(variables.get(&Setting::RegionName));
                let (place, said) = files.cloud(cloud, region)?;
                notes.extend(said);
                remember(cloud, &place, &variables);
                vec![flags, variables, place]
            }
            (None, None) => vec![flags, variables],
        };
        let clouds = if places.len() == 2 { files.names() } else { String::new() };
        let mut notes: Vec<Note> = notes.into_iter().map(|message| Note { message, hint: None }).collect();
        notes.extend(quoted(&places));
        Ok(Self { places, named, clouds, notes })
    }

    pub fn get(&self, setting: Setting) -> Option<Sourced<String>> {
        self.places.iter().find_map(|place| place.get(&setting)).cloned()
    }

    /// The first place that holds any of `settings`, and the first of these that it holds.
    pub fn first_of(&self, settings: &[Setting]) -> Option<(Setting, Sourced<String>)> {
        let first = |place: &Values| settings.iter().find_map(|setting| Some((*setting, place.get(setting)?.clone())));
        self.places.iter().find_map(first)
    }

    /// True if a switch is on.
    pub fn switch(&self, setting: Setting) -> bool {
        let on = |word: &str| matches!(word.to_lowercase().as_str(), "1" | "true" | "yes" | "on");
        self.get(setting).is_some_and(|value| on(&value.value))
    }

    /// True if no place says anything about a cloud.
    pub fn say_nothing(&self) -> bool {
        self.places.iter().all(BTreeMap::is_empty)
    }

    /// The notes for people about the values.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub fn named(&self) -> Option<&Named> {
        self.named.as_ref()
    }

    /// The clouds that could have been named.
    pub fn clouds(&self) -> &str {
        &self.clouds
    }
}

/// Reads the environment. An empty variable counts as unset, as everywhere in OpenStack's tools. A carriage return at
/// the end is dropped and reported: an openrc file with Windows line ends puts one behind every value.
fn variables(environment: &BTreeMap<String, String>) -> (Values, Vec<String>) {
    let mut trimmed = Vec::new();
    let mut first = |row: &'static Row| {
        row.variables.iter().find_map(|name| {
            let written = environment.get(*name)?;
            let value = written.trim_end_matches('\r');
            if value.len() < written.len() {
                trimmed.push(format!("`{name}`"));
            }
            Some((row.setting, Sourced::new(value.to_owned(), Origin::Environment(name)))).filter(|_| !value.is_empty())
        })
    };
    let place = ROWS.iter().filter_map(&mut first).collect();
    let notes = match trimmed.as_slice() {
        [] => Vec::new(),
        names => vec![format!(
            "{} in the environment {} in a carriage return, which is left out: the openrc file has Windows line ends",
            names.join(", "),
            if names.len() == 1 { "ends" } else { "end" }
        )],
    };
    (place, notes)
}

/// The note on variables whose quotes are a part of them: a reader of an openrc file other than a shell leaves them in.
/// They are used as they are, like in openstacksdk, since a password may contain quotes.
fn quoted(places: &[Values]) -> Option<Note> {
    let is_quoted = |value: &str| {
        ['"', '\''].iter().any(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote))
    };
    let mut names = Vec::new();
    for row in ROWS {
        let used = places.iter().find_map(|place| place.get(&row.setting));
        if let Some(Sourced { value, origin: Origin::Environment(name) }) = used
            && is_quoted(value)
        {
            names.push(format!("`{name}`"));
        }
    }
    let (stand, it) = if names.len() == 1 { ("stands", "it") } else { ("stand", "them") };
    (!names.is_empty()).then(|| Note {
        message: format!("{} in the environment {stand} in quotes, which are used as a part of {it}", names.join(", ")),
        hint: Some(
            "leave the quotes out where no shell reads the file, as with `docker run --env-file`; a shell takes them away"
                .to_owned(),
        ),
    })
}
