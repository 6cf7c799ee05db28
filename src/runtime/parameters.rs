//! Parameters of a runbook: `param("limit", #{ default: 8 })`, given as `--set limit=20`.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use rhai::Dynamic;

use crate::error::{Error, Result, suggest};
use crate::language::declared::Declared;
use crate::language::value::to_script;
use crate::secret::{MASK, holds_secret, is_secret_name};

/// The parameters from the command line, and the ones that the script asked for.
#[derive(Default)]
pub struct Parameters {
    given: BTreeMap<String, String>,
    /// Those whose values are secrets: by their source, their names, or their looks.
    secret: BTreeSet<String>,
    asked: Mutex<BTreeSet<String>>,
}

impl Parameters {
    /// Reads `name=value` settings.
    ///
    /// # Errors
    /// `Input` for one without `=`, without a name, or given twice.
    pub fn parse(settings: &[String]) -> Result<Self> {
        Self::read(settings, Vec::new())
    }

    /// The same with those that were read from files, which are secrets.
    ///
    /// # Errors
    /// As [`Parameters::parse`].
    pub fn read(settings: &[String], files: Vec<(String, String)>) -> Result<Self> {
        let mut given = BTreeMap::new();
        for setting in settings {
            let (name, value) =
                setting.split_once('=').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(|| {
                    Error::input(format!("cannot read `--set {setting}`")).hint("write `--set name=value`")
                })?;
            if given.insert(name.trim().to_owned(), value.to_owned()).is_some() {
                return Err(Error::input(format!("the parameter `{}` is given twice", name.trim())));
            }
        }
        let shows = |(name, value): &(&String, &String)| is_secret_name(name) || holds_secret(value);
        let mut secret: BTreeSet<String> = given.iter().filter(shows).map(|(name, _)| name.clone()).collect();
        for (name, text) in files {
            if given.insert(name.clone(), text).is_some() {
                return Err(Error::input(format!("the parameter `{name}` is given twice")));
            }
            secret.insert(name);
        }
        Ok(Self { given, secret, asked: Mutex::default() })
    }

    /// True if the given value is a secret.
    pub fn is_secret(&self, name: &str) -> bool {
        self.secret.contains(name)
    }

    /// The values that are secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secret.iter().filter_map(|name| self.given.get(name)).map(String::as_str)
    }

    /// The value of a parameter, of the kind of its default.
    ///
    /// # Errors
    /// `Input` when it is neither given nor has a default, or is not of the default's kind.
    pub fn value(&self, name: &str, default: Option<Dynamic>) -> Result<Dynamic> {
        self.asked.lock().insert(name.to_owned());
        match (self.given.get(name), default) {
            (Some(text), Some(default)) => self.read_like(name, text, &default),
            (Some(text), None) => Ok(text.clone().into()),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(not_given(name)),
        }
    }

    fn read_like(&self, name: &str, text: &str, default: &Dynamic) -> Result<Dynamic> {
        read_like(name, text, if self.is_secret(name) { MASK } else { text }, default)
    }

    /// True if this text came from the command line.
    pub fn was_given(&self, text: &str) -> bool {
        self.given.values().any(|value| value == text)
    }

    /// Refuses values that the run would refuse when it asks for them: those of another kind than the default, and
    /// missing ones that are needed.
    ///
    /// # Errors
    /// `Input` naming the first of them.
    pub fn check_values(&self, declared: &[Declared], needed: &[String]) -> Result<()> {
        for parameter in declared {
            if let (Some(text), Some(default)) = (self.given.get(&parameter.name), &parameter.default) {
                self.read_like(&parameter.name, text, &to_script(default.clone())).map(drop)?;
            }
        }
        match needed.iter().find(|name| !self.given.contains_key(*name)) {
            Some(name) => Err(not_given(name)),
            None => Ok(()),
        }
    }

    /// Refuses parameters that the runbook does not have: a misspelt name would silently leave the default in force.
    ///
    /// # Errors
    /// `Input` naming the first unknown parameter.
    pub fn check_names(&self, declared: &[&str]) -> Result<()> {
        let Some(name) = self.given.keys().find(|name| !declared.contains(&name.as_str())) else { return Ok(()) };
        let error = Error::input(format!("the runbook has no parameter `{name}`"));
        Err(match suggest(name, declared.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if declared.is_empty() => error.hint("it declares none"),
            None => {
                let known: Vec<String> = declared.iter().map(|name| format!("`{name}`")).collect();
                error.hint(format!("it has {}", known.join(", ")))
            }
        })
    }
}

fn not_given(name: &str) -> Error {
    Error::input(format!("the parameter `{name}` is not given"))
        .hint(format!("give it: `--set {name}=...`; `--help` after the runbook lists its parameters"))
}

/// `shown` is the text for messages.
fn read_like(name: &str, text: &str, shown: &str, default: &Dynamic) -> Result<Dynamic> {
    let wrong = |kind: &str| Error::input(format!("the parameter `{name}` must be {kind}, not `{shown}`"));
    if default.is_int() {
        return text.trim().parse::<i64>().map(Dynamic::from).map_err(|_| wrong("a whole number"));
    }
    if default.is_float() {
        return text.trim().parse::<f64>().map(Dynamic::from).map_err(|_| wrong("a number"));
    }
    if default.is_bool() {
        return match text.trim() {
            "true" | "yes" | "on" | "1" => Ok(true.into()),
            "false" | "no" | "off" | "0" => Ok(false.into()),
            _ => Err(wrong("true or false")),
        };
    }
    if default.is_array() {
        return Ok(text.split(',').map(|part| Dynamic::from(part.trim().to_owned())).collect::<rhai::Array>().into());
    }
    Ok(text.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(settings: &[&str]) -> Result<Parameters> {
        Parameters::parse(&settings.iter().map(|setting| (*setting).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_value_takes_the_kind_of_its_default() {
        let parameters = parse(&["limit=20", "dry=yes", "name=a=b", "hosts=a, b"]).unwrap();
        assert_eq!(parameters.value("limit", Some(8_i64.into())).unwrap().as_int(), Ok(20));
        assert_eq!(parameters.value("dry", Some(false.into())).unwrap().as_bool(), Ok(true));
        assert_eq!(parameters.value("name", None).unwrap().to_string(), "a=b");
        assert_eq!(parameters.value("other", Some(1_i64.into())).unwrap().as_int(), Ok(1));
        assert!(parameters.value("limit", Some(true.into())).is_err());
        assert!(parameters.value("missing", None).is_err());
    }

    #[test]
    fn what_the_run_would_refuse_is_refused_before() {
        let limit = [Declared { name: "limit".into(), default: Some(8.into()), help: None }];
        let needed = ["name".to_owned()];
        let check = |settings: &[&str], needed: &[String]| parse(settings).unwrap().check_values(&limit, needed);
        assert!(check(&["limit=20", "name=a"], &needed).is_ok());
        assert!(check(&[], &[]).is_ok());
        let wrong = check(&["limit=many"], &[]).expect_err("no number");
        assert_eq!(wrong.message, "the parameter `limit` must be a whole number, not `many`");
        assert_eq!(check(&["limit=2"], &needed).expect_err("missing").message, "the parameter `name` is not given");
    }

    #[test]
    fn a_misspelt_name_is_refused_with_a_suggestion() {
        let error = parse(&["limti=2"]).unwrap().check_names(&["limit"]).expect_err("unknown");
        assert_eq!(error.hint.as_deref(), Some("did you mean `limit`?"));
        assert!(parse(&["limit"]).is_err());
        assert!(parse(&["a=1", "a=2"]).is_err());
    }
}
