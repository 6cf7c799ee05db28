//! clouds.yaml, the secure.yaml beside it, and clouds-public.yaml for profiles, as openstacksdk reads them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::setting::{ROWS, Setting, Values};
use super::sourced::{Origin, Read, Sourced};
use super::yaml::{self, Node, Value};
use crate::decode;
use crate::error::{Error, Result, plain, suggest};

/// The places to look, and the reader.
pub(super) struct Files<'a> {
    pub environment: &'a BTreeMap<String, String>,
    pub directory: &'a Path,
    pub read: Read<'a>,
}

/// A file that was found.
struct Document {
    path: PathBuf,
    content: Node,
}

/// The values of one file for a cloud, and the file.
struct Layer {
    cloud: Node,
    path: PathBuf,
    /// True if a null in it hides the values of later layers.
    hides: bool,
}

/// The values of all files for one cloud, the first layer first.
struct Layered<'a> {
    name: &'a str,
    layers: Vec<Layer>,
}

/// A region that the files list.
struct Region {
    name: String,
    /// The values in this region, which override everything else.
    values: Option<Node>,
    key: &'static str,
    path: PathBuf,
}

impl Files<'_> {
    /// The values of the files for one cloud in the wanted region, or in its first: the region's own values, then
    /// secure.yaml, then clouds.yaml, then the profile that it names. Also returns notes for people.
    pub fn cloud(&self, name: &Sourced<String>, region: Option<&Sourced<String>>) -> Result<(Values, Vec<String>)> {
        let wanted = &name.value;
        let candidates = self.candidates("OS_CLIENT_CONFIG_FILE", "clouds", None);
        let clouds = self.find(&candidates)?;
        let folder = clouds.as_ref().and_then(|clouds| clouds.path.parent());
        let secure = self.find(&self.candidates("OS_CLIENT_SECURE_FILE", "secure", folder))?;
        let mut layered = Layered { name: wanted, layers: Vec::new() };
        for document in secure.iter().chain(&clouds) {
            if let Some(cloud) = field(&document.content, &["clouds", wanted]) {
                layered.layers.push(Layer { cloud: cloud.clone(), path: document.path.clone(), hides: true });
            }
        }
        // A cloud may stand in secure.yaml alone, but a password there makes no cloud.
        let is_known = clouds.as_ref().is_some_and(|clouds| field(&clouds.content, &["clouds", wanted]).is_some());
        if !is_known && !layered.place()?.contains_key(&Setting::AuthUrl) {
            return Err(clouds.map_or_else(|| no_file(name, &candidates), |clouds| no_cloud(name, &clouds)));
        }
        let mut notes = Vec::new();
        let lost = match layered.text(&["profile"])?.or(layered.text(&["cloud"])?) {
            Some((profile, _)) => {
                let candidates = self.candidates("OS_CLIENT_VENDOR_FILE", "clouds-public", folder);
                let public = self.find(&candidates)?;
                match public.as_ref().and_then(|public| field(&public.content, &["public-clouds", &profile])) {
                    Some(found) => {
                        let path = public.as_ref().map_or_else(PathBuf::new, |public| public.path.clone());
                        layered.layers.push(Layer { cloud: found.clone(), path, hides: true });
                        None
                    }
                    None => Some(profile),
                }
            }
            None => None,
        };
        let regions = layered.regions()?;
        let chosen = chosen(&layered, regions, region)?;
        if let Some(Region { values: Some(values), path, .. }) = &chosen {
            layered.layers.insert(0, Layer { cloud: values.clone(), path: path.clone(), hides: false });
        }
        let mut place = layered.place()?;
        if let Some(profile) = lost {
            let message = format!("cloud `{wanted}` has the profile `{profile}`, which is in no clouds-public.yaml");
            if !place.contains_key(&Setting::AuthUrl) {
                let hint =
                    "write the settings of the profile into the cloud itself; vendors' profiles are not built in";
                return Err(Error::input(message).hint(hint));
            }
            notes.push(format!("{message}: the profile is not used"));
        }
        for unused in ["cert", "key"] {
            if let Some((_, origin)) = layered.text(&[unused])? {
                notes.push(format!(
                    "`{unused}` in `{}` is not used: certificates of clients are not supported",
                    origin.display()
                ));
            }
        }
        if let Some(Region { name, key, path, .. }) = chosen {
            let origin = Origin::File { key, path };
            place.entry(Setting::RegionName).or_insert(Sourced::new(name, origin));
        }
        layered.fill(&mut place, region)?;
        Ok((place, notes))
    }

    /// The names of all clouds, for a hint; empty when there is no readable file.
    pub fn names(&self) -> String {
        let found = self.find(&self.candidates("OS_CLIENT_CONFIG_FILE", "clouds", None));
        found.ok().flatten().map(|clouds| listed(&names(&clouds))).unwrap_or_default()
    }

    fn candidates(&self, variable: &str, stem: &str, beside: Option<&Path>) -> Vec<PathBuf> {
        let set = |name: &str| {
            let value = self.environment.get(name).map(|value| value.trim_end_matches('\r'));
            value.filter(|value| !value.is_empty())
        };
        if let Some(path) = set(variable) {
            return vec![self.directory.join(path)];
        }
        let personal = set("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = set("HOME").map(|home| Path::new(home).join(".config"));
        let mut folders: Vec<PathBuf> = beside.map(Path::to_owned).into_iter().collect();
        folders.push(self.directory.to_owned());
        folders.extend(personal.into_iter().chain(home).map(|folder| folder.join("openstack")));
        folders.extend(["/etc/xdg/openstack", "/etc/openstack"].map(PathBuf::from));
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

    /// The first candidate that exists.
    fn find(&self, candidates: &[PathBuf]) -> Result<Option<Document>> {
        for path in candidates {
            let shown = path.display();
            let bytes = match (self.read)(path) {
                Ok(bytes) => bytes,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => {
                    return Err(Error::input(format!("cannot read `{shown}`: {}", plain(&error))).caused_by(error));
                }
            };
            let text =
                decode::text(&bytes).map_err(|error| Error::input(format!("`{shown}`: {error}")).hint(error.hint()))?;
            let content =
                yaml::parse(&text).map_err(|broken| Error::input(format!("`{shown}` {broken}")).hint(broken.hint()))?;
            return Ok(Some(Document { path: path.clone(), content }));
        }
        Ok(None)
    }
}

/// The value at the end of a path of fields.
fn field<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, name| match &**node {
        // The names of clouds and profiles are taken literally.
        Value::Map(fields) => fields.get(*name),
        _ => None,
    })
}

impl Layered<'_> {
    /// The first value at this path. A null there hides the values of later layers, as `None` does in Python.
    fn find(&self, path: &[&str]) -> Option<(&Node, &Path)> {
        for layer in &self.layers {
            let found = path.iter().try_fold(&layer.cloud, |node, name| node.field(name));
            match found {
                Some(node) if **node != Value::Null => return Some((node, &layer.path)),
                Some(_) if layer.hides => return None,
                _ => {}
            }
        }
        None
    }

    /// A single value; an empty one counts as missing.
    fn text(&self, path: &[&str]) -> Result<Option<(String, &Path)>> {
        match self.find(path) {
            None => Ok(None),
            Some((node, file)) => match &**node {
                Value::Text(text) => Ok(Some((text.clone(), file)).filter(|(text, _)| !text.is_empty())),
                _ => Err(self.wrong(path, file, "a single value")),
            },
        }
    }

    fn wrong(&self, path: &[&str], file: &Path, wanted: &str) -> Error {
        let (key, file) = (path.join("."), file.display());
        Error::input(format!("`{key}` of cloud `{}` in `{file}` must be {wanted}", self.name))
    }

    /// The regions of a cloud, or else those of its profile.
    fn regions(&self) -> Result<Vec<Region>> {
        let own = self
            .layers
            .iter()
            .position(|layer| ["regions", "region_name"].iter().any(|key| layer.cloud.field(key).is_some()));
        for key in ["regions", "region_name"] {
            let Some((node, file)) = self.find(&[key]) else { continue };
            // A profile's list does not count if the cloud has a region.
            let of_profile = own
                .and_then(|own| self.layers.get(own))
                .is_some_and(|layer| layer.path != file && layer.cloud.field(key).is_none());
            if of_profile {
                continue;
            }
            let region =
                |name: &str, values: Option<Node>| Region { name: name.to_owned(), values, key, path: file.to_owned() };
            return match &**node {
                Value::Text(names) => {
                    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                    Ok(names.map(|name| region(name, None)).collect())
                }
                Value::List(items) => items
                    .iter()
                    .map(|item| match &**item {
                        Value::Text(name) => Some(region(name, None)),
                        _ => item
                            .field("name")
                            .and_then(|name| name.text())
                            .map(|name| region(name, item.field("values").cloned())),
                    })
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(|| self.wrong(&[key], file, "a list of names, or of maps with `name` and `values`")),
                _ => Err(self.wrong(&[key], file, "a list of names, or of maps with `name` and `values`")),
            };
        }
        Ok(Vec::new())
    }

    fn place(&self) -> Result<Values> {
        for layer in &self.layers {
            if !matches!(*layer.cloud, Value::Map(_) | Value::Null) {
                let (name, file) = (self.name, layer.path.display());
                return Err(Error::input(format!("the cloud `{name}` in `{file}` must be a map")));
            }
            if layer.cloud.field("auth").is_some_and(|auth| !matches!(**auth, Value::Map(_) | Value::Null)) {
                return Err(self.wrong(&["auth"], &layer.path, "a map"));
            }
        }
        let mut place = Values::new();
        for row in ROWS {
            for key in row.keys {
                let path: Vec<&str> = key.split('.').collect();
                if let Some((value, file)) = self.text(&path)? {
                    let origin = Origin::File { key, path: file.to_owned() };
                    place.entry(row.setting).or_insert(Sourced::new(value, origin));
                }
            }
        }
        if let Some((verify, file)) = self.text(&["verify"])? {
            let origin = Origin::File { key: "verify", path: file.to_owned() };
            if is_false(&verify) {
                place.insert(Setting::Insecure, Sourced::new("true".to_owned(), origin));
            } else if !is_true(&verify) {
                // As for `requests`: a file of authorities.
                place.entry(Setting::Cacert).or_insert(Sourced::new(verify, origin));
            }
        }
        Ok(place)
    }
}

/// The settings in which a cloud may name others of its own: `http://{region_name}.example.org`.
const FILLED: [Setting; 6] = [
    Setting::AuthUrl,
    Setting::Endpoint,
    Setting::Interface,
    Setting::ServiceType,
    Setting::ServiceName,
    Setting::Cacert,
];

impl Layered<'_> {
    /// Replaces names in braces by settings of the cloud. Only in the URL of Keystone and beside `auth`, as
    /// openstacksdk does: a password may contain braces.
    fn fill(&self, place: &mut Values, region: Option<&Sourced<String>>) -> Result<()> {
        let region = region.or(place.get(&Setting::RegionName)).map(|region| region.value.clone());
        let known = |name: &str| match name {
            "region_name" => Ok(region.clone()),
            _ => Ok(self.text(&[name])?.map(|(value, _)| value)),
        };
        for setting in FILLED {
            let Some(Sourced { value, origin }) = place.get_mut(&setting) else { continue };
            *value = filled(value, known)?.map_err(|name| {
                Error::input(format!(
                    "{origin} has `{name}` of cloud `{}` in it, which is not a setting \
                                      there",
                    self.name
                ))
                .hint("a name in braces is a setting beside `auth`, such as `{region_name}`; a brace itself is doubled")
            })?;
        }
        Ok(())
    }
}

/// A text with names in braces replaced by their values, and doubled braces by single ones; otherwise the name without
/// a value.
pub(super) fn filled(
    text: &str,
    known: impl Fn(&str) -> Result<Option<String>>,
) -> Result<std::result::Result<String, String>> {
    let (mut whole, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        whole.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let behind = &rest[at + 1..];
        if let Some(doubled) = behind.strip_prefix(brace) {
            whole.push_str(brace);
            rest = doubled;
            continue;
        }
        let name = behind.find('}').filter(|_| brace == "{").map(|end| &behind[..end]);
        let value = name.map(&known).transpose()?.flatten();
        let (Some(name), Some(value)) = (name, value) else {
            return Ok(Err(name.map_or_else(|| brace.to_owned(), |name| format!("{{{name}}}"))));
        };
        whole.push_str(&value);
        rest = &behind[name.len() + 1..];
    }
    whole.push_str(rest);
    Ok(Ok(whole))
}

/// The wanted region, or the first. A region that is not in a list of regions has no values.
fn chosen(cloud: &Layered<'_>, regions: Vec<Region>, wanted: Option<&Sourced<String>>) -> Result<Option<Region>> {
    let Some(wanted) = wanted else { return Ok(regions.into_iter().next()) };
    let names: Vec<String> = regions.iter().map(|region| region.name.clone()).collect();
    let listed_as = regions.first().map(|region| (region.key, region.path.display().to_string()));
    let found = regions.into_iter().find(|region| region.name == wanted.value);
    match (found, listed_as) {
        (None, Some(("regions", file))) => {
            let (name, region) = (cloud.name, &wanted.value);
            let error = Error::input(format!(
                "cloud `{name}` in `{file}` has no region `{region}`, which {} asks for",
                wanted.origin
            ));
            Err(match suggest(region, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("it has {}", listed(&names))),
            })
        }
        (found, _) => Ok(found),
    }
}

/// Python's YAML accepts more words for false than ours does.
fn is_false(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "false" | "no" | "off" | "0")
}

fn is_true(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "true" | "yes" | "on" | "1")
}

fn names(clouds: &Document) -> Vec<String> {
    match field(&clouds.content, &["clouds"]).map(Rc::as_ref) {
        Some(Value::Map(all)) => all.keys().cloned().collect(),
        _ => Vec::new(),
    }
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
    let error = Error::input(format!("{} asks for the cloud `{}`, which is not in `{shown}`", name.origin, name.value));
    match suggest(&name.value, names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`")),
        None if names.is_empty() => error.hint(format!("`{shown}` has no cloud below `clouds`")),
        None => error.hint(format!("it holds {}", listed(&names))),
    }
}
