//! Suggestions for the name of an unknown function. Pure.

use std::collections::BTreeSet;

use crate::error::{Error, suggest};

/// Words of other tools besides those of the table.
const WORDS: [(&str, &[&str]); 16] = [
    ("start", &["execute", "create", "allocate"]),
    ("run", &["sync", "execute"]),
    ("launch", &["execute", "create"]),
    ("begin", &["execute", "create"]),
    ("stop", &["cancel", "deallocate"]),
    ("abort", &["cancel"]),
    ("remove", &["delete"]),
    ("rm", &["delete"]),
    ("destroy", &["delete"]),
    ("add", &["create"]),
    ("new", &["create"]),
    ("make", &["create"]),
    ("get", &["show", "find", "list"]),
    ("load", &["read"]),
    ("parse", &["read"]),
    ("vm", &["instance"]),
];

/// The names of other languages for functions of this one.
const LANGUAGE: [(&str, &str); 15] = [
    ("println", "`print` ends the line by itself"),
    ("printf", "write `print(`... ${value} ...`)`"),
    ("console", "it is `print(...)`, or `log(...)` for people"),
    ("echo", "it is `print(...)`"),
    ("format", "write the value into a text: `` `... ${value} ...` ``"),
    ("str", "it is `value.to_string()`"),
    ("string", "it is `value.to_string()`"),
    ("int", "it is `text.parse_int()`"),
    ("float", "it is `text.parse_float()`"),
    ("length", "it is `list.len()`"),
    ("range", "write `0..n`"),
    ("typeof", "it is `type_of(value)`"),
    ("wait", "it is `wait_for(what)`, or `sleep(\"30s\")` for a time"),
    ("foreach", "write `for item in list { ... }`, or `each(list, |item| ...)` for many at once"),
    ("time", "it is `now()`"),
];

/// A hint for the name, among the existing ones.
pub fn meant<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    if let Some((_, hint)) = LANGUAGE.iter().find(|(word, _)| *word == name.to_lowercase()) {
        return Some((*hint).to_owned());
    }
    if words(name).iter().any(|word| word == "wait") {
        return Some("`wait_for(...)` waits for work that has begun".to_owned());
    }
    let names: Vec<&str> = names.collect();
    let near = same_words(name, &names).or_else(|| suggest(name, names.iter().copied()))?;
    Some(format!("did you mean `{near}`?"))
}

/// The name with the same words in another order or form, or with synonyms.
fn same_words<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let given: Vec<String> = words(name);
    let fits = |wanted: &[String]| {
        let set = |words: &[String]| words.iter().cloned().collect::<BTreeSet<_>>();
        let known = |name: &&str| set(&words(name)) == set(wanted);
        let in_order = names.iter().copied().find(|name| words(name) == wanted);
        in_order.or_else(|| names.iter().copied().find(known))
    };
    if let Some(found) = fits(&given) {
        return Some(found);
    }
    given.iter().enumerate().find_map(|(index, word)| {
        let (_, others) = WORDS.iter().find(|(other, _)| other == word)?;
        others.iter().find_map(|instead| {
            let mut meant = given.clone();
            (*instead).clone_into(&mut meant[index]);
            fits(&meant)
        })
    })
}

/// `createReplicas` and `create_replica` have the same words.
fn words(name: &str) -> Vec<String> {
    let mut apart = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !apart.is_empty() && !apart.ends_with('_') {
            apart.push('_');
        }
        apart.extend(letter.to_lowercase());
    }
    let single = |word: &str| match word.strip_suffix('s') {
        Some(single) if word.len() > 3 && !word.ends_with("ss") => single.to_owned(),
        _ => word.to_owned(),
    };
    apart.split('_').filter(|word| !word.is_empty()).map(single).collect()
}

/// The error for an unknown function, with a suggestion.
pub fn unknown_function<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::script(format!("unknown function `{name}`"));
    match meant(name, names) {
        Some(hint) => error.hint(hint),
        None => error.hint("`coriolis-run functions` lists them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    #[test]
    fn the_words_of_other_tools_lead_to_the_function() {
        for (name, hint) in [
            ("replica_start", "did you mean `replica_execute`?"),
            ("csv_read", "did you mean `read_csv`?"),
            ("load_csv", "did you mean `read_csv`?"),
            ("createReplica", "did you mean `create_replica`?"),
            ("list_endpoints", "did you mean `list_endpoint`?"),
            ("remove_endpoint", "did you mean `delete_endpoint`?"),
            ("replica_crate", "did you mean `replica_create`?"),
            ("minion_pool_wait", "`wait_for(...)` waits for work that has begun"),
            ("transfer_schedule_add", "did you mean `transfer_schedule_create`?"),
            ("println", "`print` ends the line by itself"),
        ] {
            let names = catalog().names().keys().map(String::as_str);
            assert_eq!(meant(name, names).as_deref(), Some(hint), "{name}");
        }
        assert_eq!(meant("zebra", catalog().names().keys().map(String::as_str)), None);
    }
}
