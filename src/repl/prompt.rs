//! The conversation: reads an input, runs it, shows its result, and goes on, whatever went wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use parking_lot::{Mutex, MutexGuard};
use rhai::Dynamic;

use super::commands::{self, Command};
use super::draft::Draft;
use super::editor::{Input, Lines, wants_another_line};
use super::history::History;
use super::knowledge::Known;
use super::lexer::inputs;
use super::live;
use super::names::{Names, Thing, What};
use super::relay::Relay;
use super::saved::{Typed, done_before, runbook};
use super::sentences::{help_topic, interrupted, still_running};
use super::view::{Form, View, fitting, standing};
use crate::cancel::Cancel;
use crate::clock::Instant;
use crate::disk;
use crate::error::{Error, ExitCode, Kind, Result, count, plain};
use crate::event::Origin;
use crate::language::diagnose::Source;
use crate::language::help;
use crate::language::literals::{lacks_secret, learn, masked};
use crate::language::source::script_text;
use crate::language::syntax::parses;
use crate::model::Generation;
use crate::repl::session::{LAST, Mistake, Session};
use crate::report::live::board::Left;
use crate::report::streams::text;
use crate::report::values::diagnostic;
use crate::report::{self, Finished, Output, Report, Screen, Unstarted};
use crate::runtime::host::Host;

/// Lines of the screen that a result leaves for the input and the next prompt.
const MARGIN: usize = 4;

/// The surroundings of a prompt.
pub struct Parts {
    pub host: Arc<Host>,
    /// Stops only the current input.
    pub cancel: Cancel,
    pub relay: Arc<Relay>,
    pub output: Output,
    pub screen: Screen,
    /// The cloud, for people.
    pub cloud: String,
    /// The initial form of results.
    pub form: Form,
    /// The start of relative paths.
    pub folder: PathBuf,
    pub doors: Doors,
}

/// Access to things outside the process, or above this floor.
pub struct Doors {
    /// Hides keys that are typed ahead, or shows them again.
    pub quiet: Box<dyn Fn(bool)>,
    /// Asks for a line on a terminal without cursor movement.
    pub line: Door<str, Input>,
    /// Shows a text in the pager.
    pub page: Door<str, ()>,
    /// Opens a file in the editor and returns when it is closed.
    pub edit: Door<Path, ()>,
    /// A table of the runs in this many columns.
    pub runs: Door<usize, String>,
}

/// An action on something given.
pub type Door<Given, Got> = Box<dyn Fn(&Given) -> Result<Got>>;

/// A conversation.
pub struct Prompt {
    session: Arc<Mutex<Session>>,
    host: Arc<Host>,
    cancel: Cancel,
    relay: Arc<Relay>,
    output: Option<Output>,
    screen: Screen,
    cloud: String,
    folder: PathBuf,
    doors: Doors,
    view: View,
    tell_time: bool,
    typed: Vec<Typed>,
    /// The rest of the last input that goes on at the server.
    left: Vec<Left>,
}

/// Tells if the conversation goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Ask,
    Leave,
}

impl Prompt {
    pub fn new(parts: Parts) -> Self {
        let Parts { host, cancel, relay, output, screen, cloud, form, folder, doors } = parts;
        relay.belongs_to(&host);
        let session = Arc::new(Mutex::new(Session::new(host.stopped_by(cancel.clone()))));
        let view = View { form, zone: None };
        let (output, typed, left) = (Some(output), Vec::new(), Vec::new());
        Self { session, host, cancel, relay, output, screen, cloud, folder, doors, view, tell_time: false, typed, left }
    }

    /// Talks to somebody at a terminal until they leave.
    ///
    /// # Errors
    /// `Internal` when the terminal cannot be used.
    pub fn converse(mut self, history: Option<&Path>) -> Result<ExitCode> {
        let kept = history.and_then(|path| match History::open(path) {
            Ok(kept) => Some(kept),
            Err(error) => {
                self.note(&format!("the history {} cannot be used: {}", path.display(), plain(&error)));
                None
            }
        });
        let (history, earlier) = kept.map_or((None, Vec::new()), |(history, inputs)| (Some(history), inputs));
        let names = Names::new(self.host.clock.clone(), live::reader(self.host.stopped_by(self.host.whole.part())));
        let known = Known::new(self.session.clone(), names.clone(), self.folder.clone());
        let mut lines = self.screen.redraws.then(|| Lines::new(known, &self.screen, &earlier)).transpose()?;
        if let Some(printer) = lines.as_mut().and_then(Lines::printer) {
            self.relay.print_with(printer);
        }
        // The names that most calls need are read while the first input is typed.
        names.begin(&[What::all(Thing::Endpoints), What::all(Thing::Transfers)]);
        let tab = if lines.is_some() { "Tab completes, " } else { "" };
        self.data(&format!("{}\n{tab}`?` helps, `:` lists commands, Ctrl-D leaves.", self.cloud));
        let mut warned = false;
        loop {
            let prompt = self.prompt();
            let relay = self.relay.clone();
            relay.prompting(|line| self.note(&line));
            let input = match &mut lines {
                Some(lines) => lines.read(&prompt),
                None => self.plain_input(&prompt),
            };
            relay.prompted();
            let text = match input? {
                Input::Text(text) => text,
                Input::Dropped => continue,
                Input::End => match self.host.jobs.running() {
                    0 => break,
                    _ if warned => break,
                    running => {
                        self.note(&still_running(running));
                        warned = true;
                        continue;
                    }
                },
            };
            warned = false;
            if text.trim().is_empty() {
                continue;
            }
            if let Some(history) = &history
                && let Err(error) = history.keep(text.trim(), &self.host.journal.known)
            {
                self.note(&format!("the history cannot be written: {}", plain(&error)));
            }
            let known = self.host.journal.known.clone();
            let secrets = known.count();
            // An error is reported; the next input may do better.
            let next = self.take(&text);
            if let Some(history) = history.as_ref().filter(|_| known.count() > secrets)
                && let Err(error) = history.forget(&known)
            {
                self.note(&format!("cannot remove secrets from the history: {}", plain(&error)));
            }
            if let Ok(Next::Leave) = next {
                break;
            }
            if self.relay.take_changed() {
                names.refresh();
            }
        }
        Ok(ExitCode::Done)
    }

    /// Runs inputs from a pipe, until the first failure.
    pub fn read_out(mut self, all: &str) -> ExitCode {
        let code = self.take_all(all);
        match self.output.as_mut().map_or(Ok(()), Output::close) {
            Ok(()) => code,
            Err(error) => {
                self.fail(&error);
                if code == ExitCode::Done { error.kind.exit_code() } else { code }
            }
        }
    }

    fn take_all(&mut self, all: &str) -> ExitCode {
        self.relay.in_front();
        for input in inputs(all) {
            match self.take(input) {
                Ok(Next::Ask) => {}
                Ok(Next::Leave) => break,
                Err(kind) => return kind.exit_code(),
            }
        }
        let host = self.host.clone();
        let joined = self.reported(|| host.jobs.join(&host.clock)).flatten();
        let relay = self.relay.clone();
        relay.prompting(|line| self.note(&line));
        match joined {
            Ok(()) => ExitCode::Done,
            Err(error) => {
                self.fail(&error);
                error.kind.exit_code()
            }
        }
    }

    /// Reads an input of one or more lines.
    fn plain_input(&self, prompt: &str) -> Result<Input> {
        let mut whole = String::new();
        loop {
            let text = match (self.doors.line)(if whole.is_empty() { prompt } else { "... " })? {
                Input::Text(text) => text,
                other => return Ok(other),
            };
            whole.push_str(&text);
            if !wants_another_line(&whole) {
                return Ok(Input::Text(whole));
            }
            whole.push('\n');
        }
    }

    fn prompt(&self) -> String {
        match self.host.jobs.running() {
            0 => "coriolis> ".to_owned(),
            running => format!("coriolis [{}]> ", count(running, "job")),
        }
    }

    /// Carries out an input.
    ///
    /// # Errors
    /// The kind of the error, after it was reported.
    fn take(&mut self, text: &str) -> Result<Next, Kind> {
        let word = text.trim().trim_end_matches([';', '(', ')']);
        let bare = commands::bare(text).filter(|_| self.session().variable(word).is_none()).map(Ok);
        let done = match bare.or_else(|| commands::read(text)) {
            None => return self.evaluate_all(text.trim_end()).map(|()| Next::Ask),
            Some(command) => command.and_then(|command| self.obey(command)),
        };
        done.map_err(|error| {
            self.fail(&error);
            error.kind
        })
    }

    /// Runs an input. Pasted lines that are inputs of their own run one after the other, as if typed.
    fn evaluate_all(&mut self, text: &str) -> Result<(), Kind> {
        let parts = inputs(text);
        if parts.len() < 2 || parses(text) || !parts.iter().all(|part| parses(part)) {
            return self.evaluate(text, None);
        }
        parts.into_iter().try_for_each(|part| self.evaluate(part.trim_end(), None))
    }

    /// Runs a piece of script, of a file or as it was typed, and shows its result.
    fn evaluate(&mut self, text: &str, file: Option<&Path>) -> Result<(), Kind> {
        let value = self.run(text, file)?;
        if !value.is_unit() {
            self.show(&value, self.view.form);
        }
        Ok(())
    }

    /// Runs a piece of script with its own report; errors are reported.
    fn run(&mut self, text: &str, file: Option<&Path>) -> Result<Dynamic, Kind> {
        if lacks_secret(text) {
            let error = Error::input("the input has `***` in place of a secret: history does not keep secrets");
            self.fail(&error.hint("type the secret in its place"));
            return Err(Kind::Input);
        }
        learn(text, &self.host.journal.known);
        let began = self.host.clock.system();
        let open = self.host.journal.unsettled();
        let session = self.session.clone();
        let folder = self.folder_of(file);
        let evaluated = self.reported(|| {
            let mut session = session.lock();
            session.load(text, &folder)
        });
        let evaluated = evaluated.map_err(|error| {
            self.fail(&error);
            error.kind
        })?;
        let took = self.host.clock.system().duration_since(began);
        let result = match evaluated {
            Ok(value) => {
                self.typed.push(Typed { text: text.to_owned(), result: !value.is_unit() });
                Ok(value)
            }
            Err(mistake) => {
                let done = self.done_before(&mistake, text);
                self.typed.extend(done.map(|text| Typed { text, result: false }));
                let kind = self.explain(mistake, text, file);
                for sent in self.host.journal.unsettled().into_iter().filter(|sent| !open.contains(sent)) {
                    self.note(&format!(
                        "whether `{}` was carried out is not known (`{} /{}` was sent): look before you send it again",
                        sent.function, sent.method, sent.path
                    ));
                }
                Err(kind)
            }
        };
        if self.tell_time {
            self.note(&format!("took {:.1}s", took.as_secs_f64()));
        }
        result
    }

    /// The part of an input that was carried out before it failed or was interrupted: its variables live on.
    fn done_before(&self, mistake: &Mistake, text: &str) -> Option<String> {
        let Mistake::Thrown(located, of) = mistake else { return None };
        let place = located.through.last().map_or(located.place.as_ref(), |step| step.called.as_ref())?;
        let own = place.source.is_none() && **of == *text;
        let interrupted = located.error.kind == Kind::Interrupted;
        own.then(|| done_before(text, place.line, place.column, interrupted, self.host.language.catalog)).flatten()
    }

    /// Does some work; meanwhile waits and waves are drawn.
    ///
    /// # Errors
    /// `Limit` when the machine has no room for the report: nothing was done.
    fn reported<T>(&mut self, work: impl FnOnce() -> T) -> Result<T> {
        self.cancel.reset();
        let output = self.output.take().unwrap_or_else(Output::nowhere);
        let view = if self.screen.redraws { report::View::Bars } else { report::View::Lines(report::Detail::All) };
        let started = Report::start(view, output, self.screen.clone(), self.host.clock.clone());
        let (sink, report) = started.map_err(|unstarted| {
            let Unstarted { error, output } = *unstarted;
            self.output = Some(output);
            error
        })?;
        self.relay.begin(sink, report.stage());
        let busy = self.host.clock.busy();
        (self.doors.quiet)(true);
        let done = work();
        (self.doors.quiet)(false);
        drop(busy);
        self.relay.end();
        let Finished { board, output } = report.finish();
        self.left = board.left;
        self.output = Some(output);
        Ok(done)
    }

    /// Reports an error.
    fn explain(&mut self, mistake: Mistake, text: &str, file: Option<&Path>) -> Kind {
        let color = self.screen.color;
        let name = file.map_or_else(|| "input".to_owned(), |file| file.display().to_string());
        let folder = self.folder_of(file);
        let source = |text: &str| Source { name: name.clone(), text: text.to_owned(), folder: folder.clone() };
        match mistake {
            Mistake::Found(findings) => {
                let told: Vec<String> = findings.iter().map(|finding| source(text).finding(finding, color)).collect();
                self.note(&told.join("\n"));
                Kind::Script
            }
            Mistake::Thrown(located, _) if located.error.kind == Kind::Interrupted => {
                let left = std::mem::take(&mut self.left);
                // Over the `^C` that the terminal has written.
                let begin = if self.screen.redraws { "\r" } else { "" };
                self.note(&format!("{begin}{}", interrupted(&left, self.host.jobs.running())));
                Kind::Interrupted
            }
            Mistake::Thrown(located, text) => {
                let told = source(&text).thrown(&located, color);
                self.note(&told);
                located.error.kind
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<Next> {
        match command {
            Command::Quit => return Ok(Next::Leave),
            Command::Commands => self.data(&commands::overview()),
            Command::Help(topic) => {
                let told = help::topic(self.host.language.catalog, &topic, self.width())?;
                self.data(&told);
            }
            Command::Show(form, None) => {
                self.view.form = form;
                if let Some(last) = self.last() {
                    self.show(&last, form);
                }
            }
            Command::Show(form, Some(text)) => {
                if let Ok(value) = self.run(&text, None) {
                    self.show(&value, form);
                }
            }
            Command::Page(Some(text)) if help_topic(&text).is_some() => {
                let topic = help_topic(&text).unwrap_or_default();
                let told = help::topic(self.host.language.catalog, topic, self.width())?;
                (self.doors.page)(&told)?;
            }
            Command::Page(text) => {
                let value = match text {
                    Some(text) => self.run(&text, None).ok(),
                    None => self.last(),
                };
                let value = value.ok_or_else(|| Error::input("there is no result yet"))?;
                (self.doors.page)(&self.view.render(&value, self.now(), self.width()))?;
            }
            Command::Save(path) => self.save(&path)?,
            Command::Load(path) => self.load(&path)?,
            Command::Edit(path) => self.edit(path.as_deref())?,
            Command::Runs => {
                let told = (self.doors.runs)(&self.width())?;
                self.data(&told);
            }
            Command::Jobs => {
                let now = self.now();
                let rows: Vec<_> = self.host.jobs.all().iter().map(|job| standing(&job.standing(now))).collect();
                let told = match rows.is_empty() {
                    true => "no jobs; `spawn(|| ...)` starts one".to_owned(),
                    false => self.view.render_json(rows.into(), self.width()),
                };
                self.data(&told);
            }
            Command::Stop(number) => {
                let job = self.host.jobs.get(number);
                let job =
                    job.ok_or_else(|| Error::input(format!("there is no job {number}")).hint("`:jobs` lists them"))?;
                if !job.is_over() {
                    job.stop();
                }
            }
            Command::Cloud => self.tell_cloud()?,
            Command::History => {
                let typed: Vec<&str> = self.typed.iter().map(|typed| typed.text.as_str()).collect();
                let told = masked(&typed.join("\n"), &self.host.journal.known);
                self.data(&told);
            }
            Command::Clear if self.screen.redraws => self.data("\u{1b}[H\u{1b}[2J\u{1b}[A"),
            Command::Clear => {}
            Command::Time(on) => self.tell_time = on,
            Command::Zone(zone) => {
                self.view.zone = match zone.as_deref() {
                    None => None,
                    Some("" | "on") => Some(TimeZone::system()),
                    Some(name) => Some(TimeZone::get(name).map_err(|error| {
                        Error::input(format!("there is no time zone `{name}`: {error}"))
                            .hint("such as `Europe/Bucharest`")
                    })?),
                };
            }
        }
        Ok(Next::Ask)
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        let path = self.folder.join(path);
        if self.typed.is_empty() {
            return Err(Error::input("there is nothing to save yet"));
        }
        let day = self.host.clock.wall().to_zoned(self.screen.zone.clone()).strftime("%Y-%m-%d");
        let (text, lines) =
            runbook(&self.typed, &format!("Typed on {day} on {}.", self.cloud), self.host.language.catalog);
        let text = masked(&text, &self.host.journal.known);
        let failed = |error: std::io::Error| {
            let error = Error::input(format!("cannot write `{}`: {}", path.display(), plain(&error)));
            error.hint("name a new file in an existing folder")
        };
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| {
            // The incomplete file would be in the way of the next attempt.
            let _ = std::fs::remove_file(&path);
            disk::unwritten(format_args!("`{}`", path.display()), &error, Kind::Input)
        })?;
        let mut told = format!("saved {} to {}", count(lines, "input"), path.display());
        if path.parent() != Some(&self.folder) {
            told.push_str("; it looks for files and modules in that folder");
        }
        if lacks_secret(&text) {
            told.push_str("; secrets are left out: put `param(\"...\")` or a file in the place of each `***`");
        }
        self.note(&told);
        Ok(())
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(self.folder.join(path))
            .map_err(|error| Error::input(format!("cannot read `{shown}`: {}", plain(&error))).caused_by(error))?;
        let text = script_text(&format!("`{shown}`"), &bytes)?;
        // It has reported its own errors.
        let _ = self.evaluate(&text, Some(path));
        Ok(())
    }

    /// The folder of the files and modules that a script names: its own, and the session's for typed input.
    fn folder_of(&self, file: Option<&Path>) -> PathBuf {
        let folder = file.and_then(|file| self.folder.join(file).parent().map(Path::to_owned));
        folder.unwrap_or_else(|| self.folder.clone())
    }

    fn edit(&mut self, path: Option<&Path>) -> Result<()> {
        if let Some(path) = path {
            (self.doors.edit)(&self.folder.join(path))?;
            return self.load(path);
        }
        let before = self.typed.last().map(|typed| typed.text.clone()).unwrap_or_default();
        let draft = Draft::new(&before)?;
        (self.doors.edit)(&draft.path)?;
        let text = draft.text()?;
        drop(draft);
        if text.trim() == before.trim() {
            self.note("nothing was changed, so nothing is run");
        } else if !text.trim().is_empty() {
            let _ = self.evaluate(text.trim_end(), None);
        }
        Ok(())
    }

    fn tell_cloud(&mut self) -> Result<()> {
        let lane = Origin { lane: live::LANE.into(), wave: None, item: None };
        let busy = self.host.clock.busy();
        let generation = self.host.cloud().and_then(|cloud| cloud.client.generation(&lane));
        drop(busy);
        let speaks = match generation? {
            Generation::Current => "current (transfers and deployments)",
            Generation::Legacy => "legacy (replicas and migrations)",
        };
        let now = self.host.clock.now().strftime("%Y-%m-%d %H:%M:%S UTC");
        self.data(&format!("cloud       {}\ngeneration  {speaks}\ntime        {now}", self.cloud));
        Ok(())
    }

    /// The last result.
    fn last(&self) -> Option<Dynamic> {
        self.session().variable(LAST).map(Dynamic::flatten_clone)
    }

    /// Prints a result, as much of it as the screen has room for.
    fn show(&mut self, value: &Dynamic, form: Form) {
        let view = View { form, ..self.view.clone() };
        let told = view.render(value, self.now(), self.width());
        if told.is_empty() {
            return;
        }
        if self.screen.data_width.is_none() {
            return self.data(&told);
        }
        let (fits, left_out) = fitting(&told, self.height());
        self.data(&fits);
        if left_out > 0 {
            self.note(&format!("… {} more: `:page` shows all", count(left_out, "line")));
        }
        let columns = view.left_out(value, self.width());
        if !columns.is_empty() {
            let names = text::cut(&columns.join(", "), self.width().saturating_sub(40));
            self.note(&format!("… {} more: {names}; `:yaml` shows all", count(columns.len(), "column")));
        }
    }

    fn width(&self) -> usize {
        self.screen.data_width.map_or(120, |_| (self.screen.measure)().width)
    }

    fn height(&self) -> usize {
        (self.screen.measure)().height.saturating_sub(MARGIN).max(MARGIN)
    }

    fn now(&self) -> Instant {
        self.host.clock.instant()
    }

    fn fail(&mut self, error: &Error) {
        let told = diagnostic::error(error, self.screen.color);
        self.note(&told);
    }

    fn data(&mut self, text: &str) {
        if let Some(output) = &mut self.output {
            output.data(text);
            output.flush();
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(output) = &mut self.output {
            output.note(text);
            output.flush();
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock()
    }
}
