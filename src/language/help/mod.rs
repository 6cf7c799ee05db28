//! Help on everything, a domain, a function or a word. The same at the prompt, in scripts and on the command line.

mod layout;
mod page;
mod search;
mod topics;

use crate::language::help::layout::{entry, paragraph};
use crate::language::help::search::{Hit, Rank};
use crate::language::help::topics::{TOPICS, Topic};

use crate::error::{Error, Result, count, suggest};
use crate::language::catalog::Catalog;
use crate::language::spec::Spec;
use crate::report::streams::text;

/// The default width.
pub const WIDTH: usize = 80;
/// The column of summaries in lists of functions.
const COLUMN: usize = 34;
/// With this many good matches, functions that only mention the word are counted and not listed.
const ENOUGH: usize = 12;

/// The help on a word: a function in any spelling, a topic, a domain, or the results of a search. An empty word asks
/// for the overview.
///
/// # Errors
/// `Input` with the nearest name if nothing is found.
pub fn topic(catalog: &Catalog, asked: &str, width: usize) -> Result<String> {
    let asked = asked.trim().trim_end_matches("()").trim();
    if asked.is_empty() {
        return Ok(overview(catalog, width));
    }
    let name = asked.replace(['-', ' '], "_");
    if let Some(row) = catalog.find(&name) {
        return Ok(page::page(row, &name, width));
    }
    let told = topics::find(asked).map(|topic| topic.text.to_owned());
    let of_domain = catalog.domains().find(|(title, _)| title.eq_ignore_ascii_case(asked));
    let listed = of_domain.map(|(title, rows)| domain(title, rows, width).join("\n"));
    let parts: Vec<String> = told.into_iter().chain(listed).collect();
    if !parts.is_empty() {
        return Ok(parts.join("\n\n"));
    }
    if asked == "topics" {
        let line = |topic: &Topic| entry(topic.words[0], topic.summary, (2, 18), width);
        return Ok(TOPICS.iter().flat_map(line).collect::<Vec<_>>().join("\n"));
    }
    let hits = search::search(catalog, asked);
    // A misspelt name: its words stand somewhere in the texts of others.
    if name.contains('_') && hits.iter().all(|hit| hit.rank >= Rank::Text) && nearest(catalog, &name).is_some() {
        return Err(nothing(catalog, asked));
    }
    found(asked, &hits, width).ok_or_else(|| nothing(catalog, asked))
}

/// The corrected form of `help(replica_create)` without quotes; `None` for anything else.
pub fn quoted(catalog: &Catalog, line: &str) -> Option<String> {
    let inside = line.trim().trim_end_matches(';').trim_end().strip_prefix("help")?.trim_start();
    let name = inside.strip_prefix('(')?.strip_suffix(')')?.trim();
    catalog.find(name).map(|_| format!("help(\"{name}\")"))
}

/// The signature of a function, under the name that was asked for: `replica_execute(transfer, [options])`.
pub fn signature_line(row: &Spec, name: &str) -> String {
    row.signature_as(name)
}

/// Every function with its summary, by domain.
pub fn index(catalog: &Catalog, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (title, rows) in catalog.domains() {
        lines.extend(domain(title, rows, width));
        lines.push(String::new());
    }
    lines.extend(paragraph(
        "Names of the other generation (`replica_...`, `migration_...`) and verb-first ones are the same functions.",
        0,
        width,
    ));
    lines.push("`coriolis-run functions NAME` shows everything about one, or searches.".to_owned());
    lines.join("\n")
}

/// An overview on one screen.
fn overview(catalog: &Catalog, width: usize) -> String {
    let mut lines = Vec::new();
    for (title, rows) in catalog.domains() {
        lines.extend(entry(title, &names(rows), (0, 18), width));
    }
    lines.push(String::new());
    let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.words[0]).collect();
    lines.extend(entry("Topics", &topics.join(", "), (0, 18), width));
    lines.push(String::new());
    for (what, example) in [
        ("one function", "help(\"replica_create\")"),
        ("a domain or a topic", "help(\"endpoints\")"),
        ("a search", "help(\"network\")"),
    ] {
        lines.push(format!("{what:20} {example}"));
    }
    lines.join("\n")
}

/// The names of a domain: the first in full, then the endings after the same beginning.
fn names(rows: &[&'static Spec]) -> String {
    let mut shown: Vec<&str> = Vec::new();
    let mut beginning = "";
    for row in rows {
        match row.name.strip_prefix(beginning).filter(|rest| rest.starts_with('_') && !beginning.is_empty()) {
            Some(rest) => shown.push(rest),
            None => {
                shown.push(row.name);
                beginning = common(row.name, rows);
            }
        }
    }
    shown.join(", ")
}

/// The longest beginning of whole words that `name` shares with all rows that begin with its first word.
fn common<'a>(name: &'a str, rows: &[&'static Spec]) -> &'a str {
    let first = name.split('_').next().unwrap_or_default();
    let mut end = name.rfind('_').unwrap_or(0);
    for row in rows.iter().filter(|row| row.name.split('_').next() == Some(first)) {
        while end > 0 && !(row.name.starts_with(&name[..end]) && row.name[end..].starts_with('_')) {
            end = name[..end].rfind('_').unwrap_or(0);
        }
    }
    &name[..end]
}

fn domain(title: &str, rows: &[&'static Spec], width: usize) -> Vec<String> {
    let lines = rows.iter().flat_map(|row| entry(row.name, row.summary, (2, COLUMN), width));
    std::iter::once(title.to_owned()).chain(lines).collect()
}

/// The results of a search, one line each.
fn found(asked: &str, hits: &[Hit], width: usize) -> Option<String> {
    let (good, others): (Vec<&Hit>, Vec<&Hit>) = hits.iter().partition(|hit| hit.rank < Rank::Text);
    let shown = if good.len() < ENOUGH { hits.iter().collect() } else { good };
    if shown.is_empty() {
        return None;
    }
    let hidden = hits.len() - shown.len();
    let column = shown.iter().map(|hit| hit.name.len()).max().unwrap_or(0).min(COLUMN - 2);
    let line = |hit: &&Hit| text::cut(&format!("  {:column$}  {}", hit.name, hit.what), width).trim_end().to_owned();
    let mut lines = vec![format!("About `{asked}`: {}.", count(hits.len(), "function"))];
    lines.extend(shown.iter().map(line));
    if hidden > 0 {
        lines.push(format!("  {hidden} more only mention it, such as `{}`.", others[0].name));
    }
    let topics = TOPICS.iter().filter(|topic| topic.text.to_lowercase().contains(&asked.to_lowercase()));
    let topics: Vec<String> = topics.map(|topic| format!("help(\"{}\")", topic.words[0])).collect();
    if !topics.is_empty() {
        lines.extend(paragraph(&format!("See also {}.", topics.join(", ")), 2, width));
    }
    Some(lines.join("\n"))
}

fn nothing(catalog: &Catalog, asked: &str) -> Error {
    let error = Error::input(format!("nothing is known about `{asked}`"));
    match nearest(catalog, &asked.replace(['-', ' '], "_")) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`help()` shows an overview, `coriolis-run functions` lists every function"),
    }
}

/// The function or the topic that was meant.
fn nearest<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a str> {
    let topics = TOPICS.iter().flat_map(|topic| topic.words.iter().copied());
    suggest(name, catalog.names().keys().map(String::as_str).chain(topics))
}

/// `an endpoint`, `a network`.
pub(super) fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::catalog;

    fn first_line(asked: &str) -> String {
        topic(catalog(), asked, WIDTH).map_or_else(
            |error| format!("{error}: {:?}", error.hint),
            |text| text.lines().next().unwrap_or_default().to_owned(),
        )
    }

    #[test]
    fn a_function_is_told_under_the_name_it_was_asked_for_by() {
        assert_eq!(first_line("replica_execute()"), "replica_execute(transfer, [options])");
        assert_eq!(first_line("create replica"), "create_replica(options)");
        assert_eq!(first_line(" transfer_execute "), "transfer_execute(transfer, [options])");
    }

    #[test]
    fn a_domain_a_topic_and_a_word_are_told_and_the_rest_has_the_nearest_name() {
        assert_eq!(first_line("cloud resources"), "Cloud resources");
        assert_eq!(first_line("rhai"), "Runbooks are written in Rhai (https://rhai.rs/book).");
        assert_eq!(first_line("network"), "About `network`: 6 functions.");
        assert_eq!(
            first_line("replica_crate"),
            "nothing is known about `replica_crate`: Some(\"did you mean `replica_create`?\")"
        );
        assert!(first_line("wait_fro").contains("did you mean `wait_for`?"), "{}", first_line("wait_fro"));
        assert!(first_line("zebra").contains("`help()` shows an overview"));
    }

    #[test]
    fn a_name_without_quotes_is_one_with_quotes() {
        assert_eq!(quoted(catalog(), "help( replica_create );").as_deref(), Some("help(\"replica_create\")"));
        assert_eq!(quoted(catalog(), "help(\"network\")"), None);
        assert_eq!(quoted(catalog(), "help(now())"), None);
        assert_eq!(quoted(catalog(), "let helper = help(now)"), None);
    }

    #[test]
    fn the_overview_names_what_a_domain_has_in_common_once() {
        let rows = |title| catalog().domains().find(|(of, _)| *of == title).map(|(_, rows)| names(rows));
        assert_eq!(rows("Regions").as_deref(), Some("region_list, _show, _create, _ensure, _update, _delete"));
        assert_eq!(
            rows("Services").as_deref(),
            Some("service_list, _show, _create, _update, _delete, diagnostics_get")
        );
    }
}
