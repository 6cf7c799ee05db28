//! A warning when a resumed run meets another server than the one it began on, before it changes anything there.

use std::sync::Arc;

use crate::event::{Event, Fact, Level, Sink};

/// Passes events on, and warns when the cloud that was found is another one.
pub struct Elsewhere {
    before: String,
    next: Arc<dyn Sink>,
}

impl Elsewhere {
    /// The sink itself if the earlier events name no cloud.
    pub fn than(earlier: &[Event], next: Arc<dyn Sink>) -> Arc<dyn Sink> {
        let first = earlier.iter().find_map(|event| match &event.fact {
            Fact::CloudFound { url, .. } => Some(url.clone()),
            _ => None,
        });
        match first {
            Some(before) => Arc::new(Self { before, next }),
            None => next,
        }
    }

    fn warning(&self, fact: &Fact) -> Option<Fact> {
        let Fact::CloudFound { url, .. } = fact else { return None };
        let place = |url: &str| url.trim_end_matches('/').to_owned();
        (place(url) != place(&self.before)).then(|| Fact::Logged {
            level: Level::Warning,
            message: format!("the run goes on at {url}, and began at {}", self.before),
            hint: Some(
                "if these are two servers, stop it with Ctrl-C: its objects are not here. `CORIOLIS_ENDPOINT`, \
                 `OS_REGION_NAME` and clouds.yaml select the server"
                    .to_owned(),
            ),
        })
    }
}

impl Sink for Elsewhere {
    fn emit(&self, event: Event) {
        let warning = self.warning(&event.fact).map(|fact| Event { fact, ..event.clone() });
        self.next.emit(event);
        warning.into_iter().for_each(|warning| self.next.emit(warning));
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use jiff::Timestamp;

    use super::*;
    use crate::event::{Origin, VERSION};
    use crate::model::Generation;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Fact>>);

    impl Sink for Heard {
        fn emit(&self, event: Event) {
            self.0.lock().push(event.fact);
        }
    }

    fn found(url: &str) -> Event {
        let fact = Fact::CloudFound { generation: Generation::Current, url: url.to_owned() };
        Event { v: VERSION, at: Timestamp::UNIX_EPOCH, origin: Origin::default(), fact }
    }

    #[test]
    fn another_url_than_at_the_beginning_is_said_and_the_same_one_is_not() {
        let warnings = |before: &[&str], now: &str| {
            let earlier: Vec<Event> = before.iter().map(|url| found(url)).collect();
            let heard = Arc::new(Heard::default());
            Elsewhere::than(&earlier, heard.clone()).emit(found(now));
            let heard = heard.0.lock();
            let told = heard.iter().filter_map(|fact| match fact {
                Fact::Logged { message, .. } => Some(message.clone()),
                _ => None,
            });
            told.collect::<Vec<String>>()
        };
        assert_eq!(warnings(&[], "http://b/v1/p"), [""; 0]);
        assert_eq!(warnings(&["http://a/v1/p"], "http://a/v1/p/"), [""; 0]);
        let told = ["the run goes on at http://b/v1/p, and began at http://a/v1/p"];
        assert_eq!(warnings(&["http://a/v1/p"], "http://b/v1/p"), told);
        assert_eq!(warnings(&["http://a/v1/p", "http://b/v1/p"], "http://b/v1/p"), told, "the beginning counts");
    }
}
