//! Work in the background.

use rhai::{Array, Dynamic, Map as ScriptMap};

use crate::error::Error;
use crate::script::call::Call;
use crate::script::error::{Fault, to_map};
use crate::script::function::{Effect, Function, Kind, Parameter};
use crate::script::job::Standing;
use crate::script::jobs;

const JOB: Parameter = Parameter::required("job", Kind::Any, "The job, or its number.");

pub const ROWS: &[Function] = &[
    Function {
        name: "spawn",
        aliases: &[],
        parameters: &[Parameter::required(
            "body",
            Kind::Closure,
            "What to do; gets no argument, and works on copies of what it captures.",
        )],
        result: "a job, which `wait_for` takes; a runbook ends when all its jobs have ended",
        summary: "Begin something in the background, without waiting.",
        example: "let job = spawn(|| [1, 2, 3].len());\nprint(wait_for(job));",
        sends: &[],
        effect: Effect::Drives,
        noun_verb: false,
        body: spawn,
    },
    Function {
        name: "jobs",
        aliases: &[],
        parameters: &[],
        result: "a list of `#{ job, status, what, began, elapsed, result, error }`; `status` is `RUNNING`, `DONE`, `FAILED` or `STOPPED`, `elapsed` in seconds",
        summary: "List what `spawn` has begun, and how it stands.",
        example: "let job = spawn(|| 42);\nwait_for(job);\nprint(jobs()[0].status);",
        sends: &[],
        effect: Effect::Reads,
        noun_verb: false,
        body: list,
    },
    Function {
        name: "job_stop",
        aliases: &[],
        parameters: &[JOB],
        result: "nothing",
        summary: "Ask a job to start nothing new, without waiting; what it has begun on the server goes on.",
        example: "let job = spawn(|| sleep(\"1h\"));\njob_stop(job);",
        sends: &[],
        effect: Effect::Drives,
        noun_verb: true,
        body: stop,
    },
];

fn spawn(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let job = jobs::begin(call, &call.closure("body")?)?;
    Ok(Dynamic::from(job))
}

fn list(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let now = call.host.clock.instant();
    let rows: Array = call.host.jobs.all().iter().map(|job| row(job.standing(now)).into()).collect();
    Ok(rows.into())
}

fn row(standing: Standing) -> ScriptMap {
    let mut row = ScriptMap::new();
    row.insert("job".into(), i64::try_from(standing.number).unwrap_or(i64::MAX).into());
    row.insert("status".into(), standing.status.into());
    row.insert("what".into(), standing.what.into());
    row.insert("began".into(), standing.began.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
    row.insert("elapsed".into(), standing.elapsed.as_secs().into());
    row.insert("result".into(), standing.result.unwrap_or_default());
    row.insert("error".into(), standing.error.map_or(Dynamic::UNIT, |error| to_map(&error).into()));
    row
}

fn stop(call: &mut Call<'_>) -> Result<Dynamic, Fault> {
    let job = call.argument("job");
    let job = jobs::find(call.host, &job).ok_or_else(|| {
        Error::script("this is no job").hint("give what `spawn` returned, or the number that `jobs()` lists")
    })?;
    job.stop();
    Ok(Dynamic::UNIT)
}
