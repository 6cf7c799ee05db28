//! Ctrl-C and its relatives: once to pause, twice to leave. A closed terminal pauses as well, however often it is
//! reported.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cancel::{Cancel, Wish};
use crate::clock::Clock;
use crate::event::{Event, Fact, Origin, Sink, VERSION};

/// After this long without a visible reaction, Ctrl-C is explained.
const MOMENT: Duration = Duration::from_millis(800);

/// A wish from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wished {
    /// Ctrl-C.
    Press,
    /// A termination signal from another program.
    End,
    /// The terminal was closed. Both the kernel and the shell report it.
    HangUp,
}

/// The signals to listen for.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if the parent wants the process to outlive the terminal (`nohup`).
    hangup: Option<Signal>,
}

impl Signals {
    fn listen(runtime: &Handle, hangup: bool) -> Option<Self> {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        let terminate = signal(SignalKind::terminate()).ok()?;
        let hangup = hangup.then(|| signal(SignalKind::hangup()).ok()).flatten();
        Some(Self { interrupt, terminate, hangup })
    }

    async fn next(&mut self) -> Wished {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Wished::Press,
            _ = self.terminate.recv() => Wished::End,
            _ = hangup => Wished::HangUp,
        }
    }
}

/// Listens from now on, for `hangup` as well; calls `leave` at the second press.
pub fn listen(
    runtime: &Handle,
    hangup: bool,
    clock: Clock,
    cancel: Cancel,
    events: Arc<dyn Sink>,
    leave: impl FnOnce() + Send + 'static,
) {
    let Some(mut signals) = Signals::listen(runtime, hangup) else { return };
    runtime.spawn(async move {
        loop {
            if signals.next().await == Wished::HangUp && cancel.wish() != Wish::Continue {
                continue;
            }
            let wish = cancel.press();
            let (at, origin) = (clock.now(), Origin { lane: "main".into(), wave: None, item: None });
            let fact = Fact::StopRequested { now: wish == Wish::Leave };
            events.emit(Event { v: VERSION, at, origin, fact });
            if wish == Wish::Leave {
                return leave();
            }
        }
    });
}

/// At a prompt: the first press stops the current input, the second its reads as well, the third leaves; a termination
/// signal leaves at once. `still` reports work that goes on a moment after a press.
pub fn interrupt(
    runtime: &Handle,
    hangup: bool,
    cancel: Cancel,
    still: impl Fn(Wish) + Send + 'static,
    leave: impl Fn() + Send + 'static,
) {
    let Some(mut signals) = Signals::listen(runtime, hangup) else { return };
    runtime.spawn(async move {
        let mut pressed = None;
        loop {
            let next = async { signals.next().await == Wished::Press };
            let is_press = match pressed.take() {
                None => next.await,
                Some(wish) => match tokio::time::timeout(MOMENT, next).await {
                    Ok(is_press) => is_press,
                    Err(_) if cancel.wish() == wish => {
                        still(wish);
                        continue;
                    }
                    Err(_) => continue,
                },
            };
            if !is_press || cancel.wish() == Wish::Leave {
                return leave();
            }
            pressed = Some(cancel.press());
        }
    });
}
