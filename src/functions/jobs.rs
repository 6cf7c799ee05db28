//! Work in the background.

use rhai::{Array, Dynamic, Map as ScriptMap};

use crate::error::Error;
use crate::language::error::{Fault, to_map};
use crate::language::returns::Returns;
use crate::language::spec::{Kind, Parameter, Spec};
use crate::runtime::call::Call;
use crate::runtime::function::Function;
use crate::runtime::job::Standing;
use crate::runtime::jobs;

const JOB: Parameter = Parameter::required("job", Kind::Any, "The job, or its number.");

pub const ROWS: &[Function] = &[
    Function {
        spec: Spec::drives("spawn", "Start work in the background, without waiting.")
            .parameters(&[Parameter::required(
                "body",
                Kind::Closure,
                "The work; gets no argument, and works on copies of its captures.",
            )])
            .returns(Returns::value("a job, which `wait_for` takes; a runbook ends when all its jobs have ended"))
            .example("let job = spawn(|| [1, 2, 3].len());\nprint(wait_for(job));"),
        body: spawn,
    },
    Function {
        spec: Spec::reads("jobs", "List the jobs that `spawn` has started, with their state.")
            .returns(
                Returns::maps(&["job", "status", "what", "began", "elapsed", "result", "error"])
                    .with("; `status` is `RUNNING`, `DONE`, `FAILED` or `STOPPED`, `elapsed` in seconds"),
            )
            .example("let job = spawn(|| 42);\nwait_for(job);\nprint(jobs()[0].status);"),
        body: list,
    },
    Function {
        spec: Spec::drives(
            "job_stop",
            "Ask a job to start nothing new, without waiting; its work on the server goes on.",
        )
        .noun_verb()
        .parameters(&[JOB])
        .returns(Returns::NOTHING)
        .example("let job = spawn(|| sleep(\"1h\"));\njob_stop(job);"),
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
        Error::script("this is not a job").hint("give the result of `spawn`, or the number that `jobs()` lists")
    })?;
    job.stop();
    Ok(Dynamic::UNIT)
}
