//! clouds.yaml, the secure.yaml beside it, and clouds-public.yaml for profiles.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_yaml_ng::Value;

use super::layers::{Place, ROWS, Setting};
use super::{Origin, Read, Sourced};
use crate::error::{Error, Result, plain, suggest};

/// Where to look, and with what.
pub(super) struct Files<'a> {
    pub environment: &'a BTreeMap<String, String>,
    pub directory: &'a Path,
    pub read: Read<'a>,
}

/// A file that was found.
struct Document {
    path: PathBuf,
    content: Value,
}

impl Files<'_> {
    /// What the files say about one cloud: secure.yaml, then clouds.yaml, then the profile that it names.
    pub fn cloud(&self, name: &Sourced<String>) -> Result<Place> {
        let wanted = &name.value;
        let candidates = self.candidates("OS_CLIENT_CONFIG_FILE", "clouds", None);
        let Some(clouds) = self.find(&candidates)? else {
            return Err(no_file(name, &candidates));
        };
        let Some(cloud) = clouds.content.get("clouds").and_then(|clouds| clouds.get(wanted.as_str())) else {
            return Err(no_cloud(name, &clouds));
        };
        let mut place = Place::new();
        let secure = self.candidates("OS_CLIENT_SECURE_FILE", "secure", clouds.path.parent());
        if let Some(secure) = self.find(&secure)?
            && let Some(cloud) = secure.content.get("clouds").and_then(|clouds| clouds.get(wanted.as_str()))
        {
            take(&mut place, cloud, &secure.path);
        }
        take(&mut place, cloud, &clouds.path);
        if let Some(profile) = cloud.get("profile").or_else(|| cloud.get("cloud")).and_then(Value::as_str) {
            let candidates = self.candidates("OS_CLIENT_VENDOR_FILE", "clouds-public", clouds.path.parent());
            let public = self.find(&candidates)?;
            let found = public.as_ref().and_then(|public| public.content.get("public-clouds")?.get(profile));
            let (Some(public), Some(found)) = (&public, found) else {
                return Err(Error::input(format!(
                    "cloud `{wanted}` has the profile `{profile}`, which no clouds-public.yaml holds"
                ))
                .hint("write the settings of the profile into the cloud itself"));
            };
            take(&mut place, found, &public.path);
        }
        Ok(place)
    }

    /// The names of all clouds, for a hint; empty when there is no readable file.
    pub fn names(&self) -> String {
        let found = self.find(&self.candidates("OS_CLIENT_CONFIG_FILE", "clouds", None));
        found.ok().flatten().map(|clouds| listed(&names(&clouds))).unwrap_or_default()
    }

    fn candidates(&self, variable: &str, stem: &str, beside: Option<&Path>) -> Vec<PathBuf> {
        let set = |name: &str| self.environment.get(name).filter(|value| !value.is_empty());
        if let Some(path) = set(variable) {
            return vec![self.directory.join(path)];
        }
        let personal = set("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = set("HOME").map(|home| Path::new(home).join(".config"));
        let mut folders: Vec<PathBuf> = beside.map(Path::to_owned).into_iter().collect();
        folders.push(self.directory.to_owned());
        folders.extend(personal.into_iter().chain(home).map(|folder| folder.join("openstack")));
        folders.push("/etc/openstack".into());
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in folders
            .iter()
            .flat_map(|folder| ["yaml", "yml", "json"].map(|extension| folder.join(format!("{stem}.{extension}"))))
        {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// The first that exists.
    fn find(&self, candidates: &[PathBuf]) -> Result<Option<Document>> {
        for path in candidates {
            let shown = path.display();
            let text = match (self.read)(path) {
                Ok(text) => text,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => {
                    return Err(Error::input(format!("cannot read `{shown}`: {}", plain(&error))).caused_by(error));
                }
            };
            let content = serde_yaml_ng::from_str::<Value>(&text)
                .and_then(|mut content| content.apply_merge().map(|()| content))
                .map_err(|error| Error::input(format!("`{shown}` is not valid YAML: {error}")))?;
            return Ok(Some(Document { path: path.clone(), content }));
        }
        Ok(None)
    }
}

/// Adds what `cloud` says and `place` does not hold yet.
fn take(place: &mut Place, cloud: &Value, path: &Path) {
    for row in ROWS {
        for key in row.keys {
            let found = key.split('.').try_fold(cloud, |value, part| value.get(part));
            if let Some(value) = found.and_then(scalar) {
                let origin = Origin::File { key, path: path.to_owned() };
                place.entry(row.setting).or_insert(Sourced::new(value, origin));
            }
        }
    }
    if cloud.get("verify").and_then(scalar).is_some_and(|verify| off(&verify)) {
        let origin = Origin::File { key: "verify", path: path.to_owned() };
        place.entry(Setting::Insecure).or_insert(Sourced::new("true".to_owned(), origin));
    }
}

/// A value as text. Names and passwords may look like numbers; of a list (`regions`) the first counts.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        Value::Sequence(values) => values.first().and_then(scalar),
        Value::Mapping(fields) => fields.get("name").and_then(scalar),
        Value::Null | Value::Tagged(_) => None,
    }
}

/// Python's YAML takes more words for false than ours does.
fn off(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "false" | "no" | "off" | "0" | "n")
}

fn names(clouds: &Document) -> Vec<String> {
    let all = clouds.content.get("clouds").and_then(Value::as_mapping);
    all.into_iter().flat_map(|all| all.keys()).filter_map(scalar).collect()
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn no_file(name: &Sourced<String>, candidates: &[PathBuf]) -> Error {
    let paths: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
    Error::input(format!("{} asks for the cloud `{}`, and there is no clouds.yaml", name.origin, name.value))
        .hint(format!("make one of {}, or set `OS_CLIENT_CONFIG_FILE`", paths.join(", ")))
}

fn no_cloud(name: &Sourced<String>, clouds: &Document) -> Error {
    let names = names(clouds);
    let shown = clouds.path.display();
    let error =
        Error::input(format!("{} asks for the cloud `{}`, which `{shown}` does not hold", name.origin, name.value));
    match suggest(&name.value, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`")),
        None if names.is_empty() => error.hint(format!("`{shown}` holds no cloud below `clouds`")),
        None => error.hint(format!("it holds {}", listed(&names))),
    }
}
