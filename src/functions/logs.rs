//! The logs of the server's services.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rhai::{Array, Dynamic};

use crate::client::Service;
use crate::client::logs;
use crate::duration;
use crate::error::{Error, Result};
use crate::functions::files::write_text;
use crate::language::arguments::text_of;
use crate::language::error::Fault;
use crate::language::returns::Returns;
use crate::language::sends::Sends;
use crate::language::spec::{Key, Kind, Parameter, Spec};
use crate::language::value::to_script;
use crate::runtime::call::Call;
use crate::runtime::function::Function;

const DOWNLOAD: &[Key] = &[
    Key::new(
        "start_time",
        Kind::Any,
        "The start: a duration before now (`\"2h\"`), a time, or seconds since 1970; default: the beginning.",
    ),
    Key::new("end_time", Kind::Any, "The end, in the same forms; default: now."),
    Key::new("out_file", Kind::Path, "Also write it to this file, relative to the runbook's folder; default: none."),
];

const STREAM: &[Key] = &[
    Key::new("log_name", Kind::Text, "Only this log; default: all."),
    Key::new(
        "severity",
        Kind::Word(&SEVERITIES),
        "Only messages of at least this severity, in any case; default: all.",
    ),
    Key::new("limit", Kind::Integer, "End after this many messages; default 100."),
    Key::new("timeout", Kind::Duration, "End after this time, by this machine's clock; default \"10s\"."),
];

const SEVERITIES: [&str; 8] = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::reads("log_list", "List the logs of the server's services.")
            .noun_verb()
            .returns(Returns::maps(&["log_name"]))
            .sends(&[Sends::reads("GET /logs/").to(Service::Logs)])
            .example("try { for found in log_list() { print(found.log_name); } } catch (e) { print(e.message); }"),
        body: list,
    },
    Function {
        spec: Spec::reads("log_download", "Download a log.")
            .noun_verb()
            .parameters(&[
            Parameter::required("log_name", Kind::Text, "Such as `coriolis-worker`; `log_list` has them."),
            Parameter::optional("options", Kind::Options(&[DOWNLOAD]), "The part of the log, and a file for it."),
        ])
            .returns(Returns::TEXT)
            .sends(&[Sends::reads("GET /logs/{log}/").to(Service::Logs)])
            .example("try { print(log_download(\"coriolis-worker\", #{ start_time: \"1h\" }).len() > 0); } catch (e) { print(e.message); }"),
        body: download,
    },
    Function {
        spec: Spec::reads("log_stream", "Listen to the logs for a while and return the messages.")
            .noun_verb()
            .parameters(&[Parameter::optional("options", Kind::Options(&[STREAM]), "The selection, and the duration.")])
            .returns(Returns::maps(&["app_name", "message"]).with(", in the order in which they came"))
            .sends(&[Sends::reads("GET /ws").to(Service::Logs)])
            .example("try { for said in log_stream(#{ limit: 1, timeout: \"2s\" }) { print(said.message); } } catch (e) { print(e.message); }"),
        body: stream,
    },
];

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    Ok(call.shown(call.read(&logs::list())?))
}

fn download(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let now = call.host.clock.wall();
    let time = |name: &str| call.options().get(name).map(|value| seconds(&text_of(value), now)).transpose();
    let request = logs::download(&call.text("log_name"), time("start_time")?, time("end_time")?);
    let answer = call.read(&request)?;
    let text = answer.as_str().unwrap_or_default();
    if let Some(path) = call.options().text("out_file") {
        write_text(call, &path, text)?;
    }
    Ok(text.into())
}

fn stream(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let options = call.options();
    let severity = options.text("severity").map(|word| word.to_uppercase());
    if let Some(word) = severity.as_deref().filter(|word| !SEVERITIES.contains(word)) {
        return Err(Error::script(format!("there is no severity `{word}`"))
            .hint(format!("it is one of {}", SEVERITIES.join(", ")))
            .detail("key", "severity")
            .into());
    }
    let limit = usize::try_from(options.integer("limit").unwrap_or(100)).unwrap_or(0);
    let timeout = call.options().duration("timeout")?.unwrap_or(Duration::from_secs(10));
    let request = logs::stream(options.text("log_name").as_deref(), severity.as_deref());
    let said = call.cloud()?.client.listen(&request, limit, timeout)?;
    Ok(said.into_iter().map(to_script).collect::<Array>().into())
}

/// Seconds since 1970: written as such, as a time, or as a duration before `now`.
fn seconds(text: &str, now: Timestamp) -> Result<i64> {
    if let Ok(number) = text.trim().parse::<i64>() {
        return Ok(number);
    }
    if let Some(time) = text.parse::<Timestamp>().ok().or_else(|| duration::server_time(text)) {
        return Ok(time.as_second());
    }
    let ago = duration::parse(text)?;
    Ok((now - SignedDuration::try_from(ago).unwrap_or(SignedDuration::ZERO)).as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_three_ways() {
        let now: Timestamp = "2026-06-01T20:00:00Z".parse().expect("a time");
        let read = |text| seconds(text, now).ok();
        assert_eq!(read("1780336800"), Some(1_780_336_800));
        assert_eq!(read("2026-06-01T18:00:00Z"), Some(1_780_336_800));
        assert_eq!(read("2h"), Some(1_780_336_800));
        assert_eq!(read("yesterday"), None);
    }
}
