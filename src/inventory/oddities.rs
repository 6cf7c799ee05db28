//! Lines and values that spreadsheets, databases and word processors leave in a table, and that nobody meant as data.

use super::records::{Record, is_invisible};
use crate::error::{Error, Result};

/// True for a line such as `|---|:---:|`, `-----+-----` or `======`, which only separates others.
pub fn is_ruling(record: &Record) -> bool {
    let rules = |cell: &str| {
        let inner = cell.trim_matches(':');
        inner.len() >= 2 && inner.chars().all(|character| matches!(character, '-' | '=' | '+'))
    };
    !record.is_blank() && record.cells.iter().filter(|cell| !cell.is_empty()).all(|cell| rules(cell))
}

/// True for `#N/A`, `#REF!`, `#NAME?` and their translations: a formula had no result.
pub fn is_formula_error(cell: &str) -> bool {
    let Some(word) = cell.strip_prefix('#') else { return false };
    let is_word = |word: &str| {
        !word.is_empty()
            && word.chars().all(|letter| letter.is_uppercase() || letter == '/' || letter == '_' || letter == '0')
    };
    matches!(word, "N/A" | "NV") || word.strip_suffix(['!', '?']).is_some_and(is_word)
}

/// The code of the first character inside a value that cannot be seen: `U+200B`.
pub fn invisible(cell: &str) -> Option<String> {
    cell.chars().find(|character| is_invisible(*character)).map(|found| format!("U+{:04X}", u32::from(found)))
}

/// True for a line of one field that `delimiter` divides into `wanted` fields.
pub fn is_split_by(record: &Record, delimiter: char, wanted: usize) -> bool {
    let [cell] = &record.cells[..] else { return false };
    wanted > 1 && cell.split(delimiter).count() == wanted
}

/// # Errors
/// `Input` for a text that is certainly no table: a page, or JSON.
pub fn refuse_others(text: &str) -> Result<()> {
    let text = text.trim_start();
    let opens = |mark: char| text.strip_prefix('<').is_some_and(|rest| rest.starts_with(mark));
    let names_tag = text.strip_prefix('<').is_some_and(|rest| {
        let name = rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        ["html", "table", "head", "body"].iter().any(|known| name.eq_ignore_ascii_case(known))
    });
    if opens('!') || opens('?') || names_tag {
        return Err(Error::input("it is a page (HTML or XML), and no table")
            .hint("save the table itself as CSV; a download may have answered with a page to log in"));
    }
    if text.starts_with(['[', '{']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Err(Error::input("it is JSON, and no table").hint("`read_json(path)` reads it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_formulas_are_told_from_names() {
        for cell in ["#N/A", "#NV", "#REF!", "#DIV/0!", "#NAME?", "#WERT!", "#BEZUG!", "#GETTING_DATA!", "#ÜBERLAUF!"]
        {
            assert!(is_formula_error(cell), "{cell}");
        }
        for cell in ["#1", "#", "#!", "#legacy-erp", "N/A", "#web!", "#CHG40003"] {
            assert!(!is_formula_error(cell), "{cell}");
        }
    }
}
