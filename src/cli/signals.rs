//! Ctrl-C and its relatives: once to pause, twice to leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cancel::{Cancel, Wish};
use crate::clock::Clock;
use crate::event::{Event, Fact, Origin, Sink, VERSION};

/// Whoever presses Ctrl-C and sees nothing happen for so long wants to know why.
const MOMENT: Duration = Duration::from_millis(800);

/// Listens from now on; at the second press `leave` is called.
pub fn listen(
    runtime: &Handle,
    clock: Clock,
    cancel: Cancel,
    events: Arc<dyn Sink>,
    leave: impl FnOnce() + Send + 'static,
) {
    let _inside = runtime.enter();
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    runtime.spawn(async move {
        loop {
            either(&mut interrupt, &mut terminate).await;
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

/// At a prompt: the first press stops the input at work, the second its reads as well, the third leaves; a wish from
/// outside to end leaves at once. What is still at work a moment after a press is told by `still`.
pub fn interrupt(
    runtime: &Handle,
    cancel: Cancel,
    still: impl Fn(Wish) + Send + 'static,
    leave: impl Fn() + Send + 'static,
) {
    let _inside = runtime.enter();
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    runtime.spawn(async move {
        let mut pressed = None;
        loop {
            let next = async {
                tokio::select! {
                    _ = interrupt.recv() => true,
                    _ = terminate.recv() => false,
                }
            };
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

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
