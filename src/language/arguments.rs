//! The arguments of one call, read by the row of its function before anything else happens.

use std::collections::BTreeMap;
use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map as ScriptMap};
use serde_json::{Map, Value};

use crate::duration;
use crate::error::{Error, Result, suggest};
use crate::language::spec::{Key, Kind, Spec};
use crate::language::value::{Secret, Secrets, describe, to_json};

/// The arguments by the names of their parameters.
#[derive(Clone, Default)]
pub struct Arguments {
    values: BTreeMap<&'static str, Dynamic>,
    options: Options,
}

/// Options by the names of their keys; aliases are resolved.
#[derive(Clone, Default)]
pub struct Options(BTreeMap<&'static str, Dynamic>);

impl Arguments {
    /// # Errors
    /// `Script`: a wrong kind, an unknown or doubled key, a required key that is missing.
    pub fn read(function: &Spec, name: &str, arguments: &[Dynamic]) -> Result<Self> {
        let mut read = Self::default();
        if let ([only], Some(keys)) = (arguments, options_instead(function))
            && is_options(only)
        {
            read.options = Options::read(name, keys, only)?;
            return Ok(read);
        }
        for (value, index) in arguments.iter().zip(function.assign(arguments.len())) {
            let parameter = &function.parameters[index];
            let what = format!("`{}` of `{name}`", parameter.name);
            if value.is_unit() && !parameter.optional && !matches!(parameter.kind, Kind::Any) {
                return Err(Error::script(format!(
                    "{what} must be {}, not {}",
                    parameter.kind.word(),
                    describe(value)
                )));
            }
            check_kind(parameter.kind, value, &what)?;
            match parameter.kind {
                Kind::Options(keys) => read.options = Options::read(name, keys, value)?,
                _ => drop(read.values.insert(parameter.name, value.clone())),
            }
        }
        if let Some(Kind::Options(keys)) = function.parameters.get(arguments.len()).map(|parameter| parameter.kind) {
            read.options.require(name, keys)?;
        }
        Ok(read)
    }

    pub fn value(&self, name: &str) -> Option<&Dynamic> {
        self.values.get(name)
    }

    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// The keys of a function whose first argument may be given among its options: `deployment_create(#{ transfer_id: ...
/// })`, `region_create(#{ name: ... })`.
pub fn options_instead(function: &Spec) -> Option<&'static [&'static [Key]]> {
    let [first, second] = function.parameters else { return None };
    let Kind::Options(keys) = second.kind else { return None };
    let says_first = |key: &Key| match first.kind {
        Kind::Reference(_) => matches!(key.kind, Kind::Reference(_)),
        Kind::Text => key.name == first.name,
        _ => false,
    };
    (second.optional && keys.iter().copied().flatten().any(says_first)).then_some(keys)
}

/// True for a map that is not an object of the server.
fn is_options(value: &Dynamic) -> bool {
    value.read_lock::<ScriptMap>().is_some_and(|fields| !fields.contains_key("id"))
}

/// A value that an option is read into; one that was not given is the default.
pub trait FromOption: Sized {
    /// # Errors
    /// `Script` for a text that does not say such a value.
    fn from_option(options: &Options, name: &str) -> Result<Self>;
}

impl FromOption for bool {
    fn from_option(options: &Options, name: &str) -> Result<Self> {
        Ok(options.flag(name).unwrap_or(false))
    }
}

impl FromOption for Option<i64> {
    fn from_option(options: &Options, name: &str) -> Result<Self> {
        Ok(options.integer(name))
    }
}

impl FromOption for Option<Duration> {
    fn from_option(options: &Options, name: &str) -> Result<Self> {
        options.duration(name)
    }
}

impl FromOption for Option<Dynamic> {
    fn from_option(options: &Options, name: &str) -> Result<Self> {
        Ok(options.get(name).cloned())
    }
}

/// A list of keys, and the type that a call's options are read into: the name of each stands once, as a field.
macro_rules! options {
    ($(#[$doc:meta])* $list:ident => $of:ident {
        $($name:ident: $type:ty = $kind:expr, $help:expr $(, aliases $aliases:expr)?;)+
    }) => {
        pub const $list: &[crate::language::spec::Key] = &[
            $(crate::language::spec::Key::new(stringify!($name), $kind, $help)$(.aliases($aliases))?),+
        ];

        $(#[$doc])*
        pub struct $of {
            $(pub $name: $type),+
        }

        impl $of {
            /// # Errors
            /// `Script` for an option that cannot be read.
            pub fn of(options: &crate::language::arguments::Options) -> crate::error::Result<Self> {
                Ok(Self { $($name: crate::language::arguments::FromOption::from_option(options, stringify!($name))?),+ })
            }
        }
    };
}
pub(crate) use options;

impl Options {
    fn read(name: &str, keys: &'static [&'static [Key]], value: &Dynamic) -> Result<Self> {
        let mut options = BTreeMap::new();
        let fields = value.read_lock::<ScriptMap>().map(|fields| fields.clone()).unwrap_or_default();
        let known = || keys.iter().copied().flatten();
        for (word, value) in fields {
            let Some(key) = known().find(|key| key.answers_to(&word)) else {
                return Err(unknown_key(name, &word, known()));
            };
            check_kind(key.kind, &value, &format!("`{word}` of `{name}`"))
                .map_err(|error| error.detail("key", word.as_str()))?;
            read_inside(&word, key.kind, &value)?;
            if options.insert(key.name, value).is_some() {
                return Err(Error::script(format!("`{word}` says `{}` of `{name}` twice", key.name))
                    .detail("key", word.as_str()));
            }
        }
        let options = Self(options);
        options.require(name, keys)?;
        Ok(options)
    }

    fn require(&self, name: &str, keys: &'static [&'static [Key]]) -> Result<()> {
        let missing: Vec<String> = keys
            .iter()
            .copied()
            .flatten()
            .filter(|key| key.required && !self.0.contains_key(key.name))
            .map(|key| format!("`{}`", key.name))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::script(format!("`{name}` needs {}", missing.join(", "))))
    }

    /// An option that is a duration.
    ///
    /// # Errors
    /// `Script` for a text that is not a duration.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let read = |value| duration_of(value).map_err(|error| error.context(format!("`{name}`")).detail("key", name));
        self.get(name).map(read).transpose()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<&Dynamic> {
        self.0.get(name).filter(|value| !value.is_unit())
    }

    /// True if the key was given, even as `()`: to some requests null means something else than absence.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(text_of)
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(|value| value.as_bool().ok())
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|value| value.as_int().ok())
    }

    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.get(name).map(texts_of)
    }

    /// A flag that the command line has under two opposite words, such as `enabled` and `disabled`.
    ///
    /// # Errors
    /// `Script` when they contradict each other.
    pub fn switch(&self, yes: &str, no: &str) -> Result<Option<bool>> {
        match (self.flag(yes), self.flag(no)) {
            (Some(on), Some(off)) if on == off => {
                Err(Error::script(format!("`{yes}` and `{no}` contradict each other")).detail("key", no))
            }
            (on, off) => Ok(on.or(off.map(|off| !off))),
        }
    }

    pub fn closure(&self, name: &str) -> Option<FnPtr> {
        self.get(name).and_then(|value| value.clone().try_cast::<FnPtr>())
    }

    /// The named options as the fields of a request's body, secrets exposed; `()` is null.
    ///
    /// # Errors
    /// `Script` for a value that JSON cannot express.
    pub fn body(&self, names: &[&str]) -> Result<Map<String, Value>> {
        let mut body = Map::new();
        for name in names {
            if let Some(value) = self.0.get(name) {
                let value = to_json(value, Secrets::Exposed).map_err(|error| error.context(format!("`{name}`")))?;
                body.insert((*name).to_owned(), value);
            }
        }
        Ok(body)
    }
}

/// Reads the object maps inside an option, whose keys are known as well.
fn read_inside(word: &str, kind: Kind, value: &Dynamic) -> Result<()> {
    match kind {
        Kind::Options(keys) => Options::read(word, keys, value).map(drop),
        Kind::Rows(keys) => {
            let rows = value.flatten_clone().try_cast::<Array>().unwrap_or_default();
            rows.iter().try_for_each(|row| Options::read(word, keys, row).map(drop))
        }
        _ => Ok(()),
    }
}

/// The refusal of a key, with the nearest known one.
pub fn unknown_key<'a>(function: &str, word: &str, keys: impl Iterator<Item = &'a Key>) -> Error {
    let names: Vec<&str> = keys.flat_map(|key| std::iter::once(key.name).chain(key.aliases.iter().copied())).collect();
    let error = Error::script(format!("`{function}` has no key `{word}`")).detail("key", word);
    match suggest(word, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error
            .hint(format!("it knows {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))),
    }
}

fn check_kind(kind: Kind, value: &Dynamic, what: &str) -> Result<()> {
    if value.is_shared() {
        return check_kind(kind, &value.flatten_clone(), what);
    }
    let fits = match kind {
        Kind::Any => true,
        Kind::Text | Kind::Word(_) | Kind::Path | Kind::Name(_) => value.is_string() || value.is::<Secret>(),
        // The refusal names the value, so it must not be a secret.
        Kind::Choice(_) => value.is_string(),
        Kind::Integer => value.is_int(),
        Kind::Flag => value.is_bool(),
        Kind::Map | Kind::Mapping(..) | Kind::Options(_) => value.is_map(),
        Kind::List => value.is_array(),
        Kind::Rows(_) => value.read_lock::<Array>().is_some_and(|list| list.iter().all(Dynamic::is_map)),
        Kind::Texts | Kind::Names(_) => {
            value.is_string() || value.read_lock::<Array>().is_some_and(|list| list.iter().all(Dynamic::is_string))
        }
        Kind::Closure => value.is::<FnPtr>(),
        Kind::Duration | Kind::Budget => value.is_string() || value.is_int() || value.is_float(),
        Kind::Reference(_) => value.is_string() || value.is_map(),
    };
    // `()` stands for an option that is not given.
    if fits {
        return match kind {
            Kind::Choice(words) if !words.contains(&text_of(value).as_str()) => {
                Err(no_choice(what, &text_of(value), words))
            }
            _ => Ok(()),
        };
    }
    if value.is_unit() && !matches!(kind, Kind::Closure | Kind::Reference(_)) {
        return Ok(());
    }
    let given = describe(value);
    let error = Error::script(format!("{what} must be {}, not {given}", kind.word()));
    Err(match (kind, given) {
        (Kind::List | Kind::Rows(_), "a range") => {
            error.hint("put its numbers into a list: `let list = []; for n in 0..5 { list.push(n); }`")
        }
        (Kind::List | Kind::Rows(_), "an object map") => error.hint("`.values()` and `.keys()` of it are lists"),
        (Kind::List | Kind::Rows(_), _) => error.hint("write `[ ... ]`"),
        _ => error,
    })
}

/// The refusal of a word that is not one of `words`.
pub fn no_choice(what: &str, word: &str, words: &[&str]) -> Error {
    let error = Error::script(format!("{what} cannot be `{word}`"));
    match suggest(word, words.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("it is {}", one_of(words))),
    }
}

/// `a`, `b` or `c`, with backticks.
pub fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} or {last}", before.join(", ")),
        None => String::new(),
    }
}

pub fn text_of(value: &Dynamic) -> String {
    match value.read_lock::<Secret>() {
        Some(secret) => secret.expose().unwrap_or_default().to_owned(),
        None => value.flatten_clone().to_string(),
    }
}

/// A list of texts, or one text for a list of one.
pub fn texts_of(value: &Dynamic) -> Vec<String> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return vec![text.to_string()];
    }
    value.read_lock::<Array>().map(|list| list.iter().map(text_of).collect()).unwrap_or_default()
}

/// A duration as a script writes it.
///
/// # Errors
/// `Script` for a text that is not a duration, or a negative number.
pub fn duration_of(value: &Dynamic) -> Result<Duration> {
    if let Ok(seconds) = value.as_int() {
        return u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| Error::script(format!("`{seconds}` is not a number of seconds")));
    }
    if let Ok(seconds) = value.as_float() {
        return duration::seconds(seconds);
    }
    duration::parse(&text_of(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::spec::{Noun, Parameter};

    static MAPPINGS: [Key; 2] = [
        Key::new("default", Kind::Name(Noun::Storage), ""),
        Key::new("disk_mappings", Kind::Rows(&[&[Key::new("disk_id", Kind::Text, "").required()]]), ""),
    ];
    static KEYS: [Key; 5] = [
        Key::new("storage_mappings", Kind::Options(&[&MAPPINGS]), ""),
        Key::new("scenario", Kind::Choice(&["replica", "live_migration"]), ""),
        Key::new("origin_endpoint_id", Kind::Text, "").aliases(&["origin_endpoint"]).required(),
        Key::new("instances", Kind::Texts, "").aliases(&["instance"]),
        Key::new("clone_disks", Kind::Flag, ""),
    ];
    static FUNCTION: Spec = Spec::changes("transfer_create", "").noun_verb().parameters(&[Parameter::required(
        "options",
        Kind::Options(&[&KEYS]),
        "",
    )]);

    fn read(code: &str) -> Result<Arguments> {
        let value: Dynamic = rhai::Engine::new().eval(code).expect("valid code");
        Arguments::read(&FUNCTION, FUNCTION.name, &[value])
    }

    #[test]
    fn aliases_resolve_and_one_text_is_a_list_of_one() {
        let read = read("#{ origin_endpoint: \"a\", instance: \"x\" }").unwrap();
        assert_eq!(read.options().texts("instances"), Some(vec!["x".to_owned()]));
        assert_eq!(read.options().text("origin_endpoint_id").as_deref(), Some("a"));
    }

    #[test]
    fn what_is_no_list_is_named_with_the_way_to_one() {
        let told = |value: Dynamic| {
            let error = check_kind(Kind::List, &value, "`items` of `wave`").expect_err("no list");
            format!("{}; {}", error.message, error.hint.unwrap_or_default())
        };
        let [range, text, map] =
            [Dynamic::from(0..5_i64), "web-01".into(), Dynamic::from_map(rhai::Map::new())].map(told);
        assert_eq!(
            range,
            "`items` of `wave` must be a list, not a range; put its numbers into a list: `let list = []; for n in 0..5 \
             { list.push(n); }`"
        );
        assert_eq!(text, "`items` of `wave` must be a list, not a text; write `[ ... ]`");
        assert!(map.ends_with("; `.values()` and `.keys()` of it are lists"), "{map}");
    }

    #[test]
    fn mistakes_are_named_with_a_way_out() {
        let error = |code| {
            let error = read(code).err().expect("a mistake");
            (error.message, error.hint)
        };
        assert_eq!(
            error("#{ origin_endpont: 1 }"),
            ("`transfer_create` has no key `origin_endpont`".into(), Some("did you mean `origin_endpoint`?".into()))
        );
        assert_eq!(
            error("#{ origin_endpoint: \"a\", clone_disks: 1 }"),
            ("`clone_disks` of `transfer_create` must be true or false, not a whole number".into(), None)
        );
        assert_eq!(error("#{}"), ("`transfer_create` needs `origin_endpoint_id`".into(), None));
        assert_eq!(
            error("#{ origin_endpoint: \"a\", scenario: \"replca\" }"),
            ("`scenario` of `transfer_create` cannot be `replca`".into(), Some("did you mean `replica`?".into()))
        );
        assert_eq!(
            error("#{ origin_endpoint: \"a\", scenario: \"cold\" }").1.as_deref(),
            Some("it is `replica` or `live_migration`")
        );
        assert_eq!(
            error("#{ origin_endpoint: \"a\", storage_mappings: #{ defalt: \"ssd\" } }"),
            ("`storage_mappings` has no key `defalt`".into(), Some("did you mean `default`?".into()))
        );
        assert_eq!(
            error("#{ origin_endpoint: \"a\", storage_mappings: #{ disk_mappings: [#{ disk_id: \"1\" }, #{}] } }").0,
            "`disk_mappings` needs `disk_id`"
        );
        assert_eq!(
            error("#{ origin_endpoint: \"a\", origin_endpoint_id: \"b\" }").0,
            "`origin_endpoint_id` says `origin_endpoint_id` of `transfer_create` twice"
        );
    }
}
