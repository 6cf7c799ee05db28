//! Searching functions by a word: in names, option keys and texts; the best first.

use crate::language::catalog::Catalog;
use crate::language::spec::{Key, Kind, Spec};

/// The quality of a match: the smaller the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The word is in one of its names.
    Name,
    /// An option or a parameter has this name.
    Key,
    /// The word is in the name of an option.
    InKey,
    /// The word is in its texts.
    Text,
    /// All the words are somewhere in its texts.
    Words,
}

/// A matching function.
#[derive(Debug, PartialEq)]
pub struct Hit {
    pub rank: Rank,
    /// The matching spelling, or the row's own name.
    pub name: String,
    /// The matching option, or the summary.
    pub what: String,
}

/// The matching functions, the best first; within a rank in the order of the reference.
pub fn search(catalog: &Catalog, text: &str) -> Vec<Hit> {
    let text = text.trim().to_lowercase().replace(['_', '-'], " ");
    if text.is_empty() {
        return Vec::new();
    }
    let mut hits: Vec<Hit> = catalog.rows().filter_map(|row| hit(row, &text)).collect();
    // A search for `networks` means objects named `network`.
    if let Some(one) = text.strip_suffix('s').filter(|_| hits.iter().all(|hit| hit.rank > Rank::InKey)) {
        let of_one: Vec<Hit> = catalog.rows().filter_map(|row| hit(row, one)).collect();
        if !of_one.is_empty() {
            hits = of_one;
        }
    }
    hits.sort_by_key(|hit| hit.rank);
    hits
}

fn hit(row: &Spec, text: &str) -> Option<Hit> {
    let word = text.replace(' ', "_");
    let own = |what: String, rank| Hit { rank, name: row.name.to_owned(), what };
    let keys = keys(row);
    if let Some(name) = row.names().into_iter().find(|name| name.contains(&word)) {
        return Some(Hit { rank: Rank::Name, name, what: row.summary.to_owned() });
    }
    if let Some(key) = keys.iter().find(|key| key.names.contains(&word.as_str())) {
        return Some(own(key.path(), Rank::Key));
    }
    if let Some(key) = keys.iter().find(|key| key.names.iter().any(|name| name.contains(&word))) {
        return Some(own(key.path(), Rank::InKey));
    }
    let has = |told: &str| told.to_lowercase().contains(text);
    if has(row.summary) || has(&row.returns.to_string()) {
        return Some(own(row.summary.to_owned(), Rank::Text));
    }
    if let Some(key) = keys.iter().find(|key| has(key.help) || key.words.iter().any(|word| has(word))) {
        return Some(own(key.path(), Rank::Text));
    }
    let whole = whole(row, &keys);
    text.split(' ').all(|word| whole.contains(word)).then(|| own(row.summary.to_owned(), Rank::Words))
}

/// A parameter or an option at any depth, with its path.
struct Named {
    path: String,
    names: Vec<&'static str>,
    help: &'static str,
    words: &'static [&'static str],
}

impl Named {
    fn path(&self) -> String {
        format!("{}: {}", self.path, self.help)
    }
}

fn keys(row: &Spec) -> Vec<Named> {
    let mut found = Vec::new();
    for parameter in row.parameters {
        let (name, kind) = (parameter.name, parameter.kind);
        // The parameter `options` is in nearly every row: nobody searches for it.
        if !matches!(kind, Kind::Options(_)) {
            found.push(Named { path: name.to_owned(), names: vec![name], help: parameter.help, words: kind.words() });
        }
        collect(kind, "", &mut found);
    }
    found
}

fn collect(kind: Kind, path: &str, found: &mut Vec<Named>) {
    for key in kind.keys() {
        let path = format!("{path}{}", key.name);
        found.push(Named { path: path.clone(), names: spellings(key), help: key.help, words: key.kind.words() });
        collect(key.kind, &format!("{path}."), found);
    }
}

fn spellings(key: &Key) -> Vec<&'static str> {
    std::iter::once(key.name).chain(key.aliases.iter().copied()).collect()
}

fn whole(row: &Spec, keys: &[Named]) -> String {
    let mut whole = format!("{} {} {}", row.names().join(" "), row.summary, row.returns);
    for key in keys {
        whole.push_str(&format!(" {} {}", key.names.join(" "), key.help));
    }
    whole.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    fn found(text: &str) -> Vec<(Rank, String)> {
        search(catalog(), text).into_iter().map(|hit| (hit.rank, hit.name)).collect()
    }

    #[test]
    fn names_come_before_options_and_options_before_texts() {
        let all = found("network");
        assert_eq!(all[0], (Rank::Name, "endpoint_network_list".to_owned()));
        assert_eq!(all[1], (Rank::InKey, "transfer_create".to_owned()));
        assert!(all.contains(&(Rank::Text, "endpoint_instance_show".to_owned())), "{all:?}");
        assert!(all.is_sorted_by_key(|(rank, _)| *rank));
        assert_eq!(
            search(catalog(), "network map")[0].what,
            "network_map: Source network to destination network; default: none."
        );
    }

    #[test]
    fn the_spelling_that_fits_is_shown_and_so_is_the_option_inside_an_option() {
        assert_eq!(found("replica_schedule")[0].1, "replica_schedule_list");
        assert_eq!(found("retries")[0], (Rank::Key, "transfer_sync".to_owned()));
        assert!(search(catalog(), "backend_mappings")[0].what.starts_with("storage_mappings.backend_mappings: "));
        assert_eq!(found("networks")[0].1, "endpoint_network_list");
        assert_eq!(found("source switch off")[0].0, Rank::Words);
        assert_eq!(found("zebra"), []);
        assert_eq!(found(" "), []);
    }
}
