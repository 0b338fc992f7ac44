//! The budget of a frame: whether there is time for a second answer.

use std::time::{Duration, Instant};

/// How long the duration of an escalation is believed. One that happened to be slow must not forbid them for good.
const BELIEVED: Duration = Duration::from_secs(10);

/// How long answers may take, and how long the last escalation took.
#[derive(Default)]
pub(crate) struct Pace {
    budget: Option<Duration>,
    last: Option<(Duration, Instant)>,
}

impl Pace {
    /// Without a budget, there is always time.
    pub fn new(budget: Option<Duration>) -> Pace {
        Pace { budget, last: None }
    }

    /// Another budget; what the last escalation took stays known.
    pub fn set_budget(&mut self, budget: Option<Duration>) {
        self.budget = budget;
    }

    /// Whether an escalation would end within the budget of a frame that came in at `start`, if it took as long as the
    /// last one.
    pub fn allows(&self, start: Instant, now: Instant) -> bool {
        let believed =
            |&(_, at): &(Duration, Instant)| now.saturating_duration_since(at) < BELIEVED;
        let takes = self
            .last
            .filter(believed)
            .map_or(Duration::ZERO, |(took, _)| took);
        let ends = now.saturating_duration_since(start) + takes;
        self.budget.is_none_or(|budget| ends <= budget)
    }

    /// An escalation took this long, and ended `now`.
    pub fn took(&mut self, duration: Duration, now: Instant) {
        self.last = Some((duration, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escalation_must_end_within_the_budget_by_what_the_last_one_took() {
        let ms = Duration::from_millis;
        let start = Instant::now();
        let mut pace = Pace::new(Some(ms(100)));
        assert!(pace.allows(start, start + ms(100)));
        assert!(!pace.allows(start, start + ms(101)));
        pace.took(ms(40), start);
        assert!(pace.allows(start, start + ms(60)));
        assert!(!pace.allows(start, start + ms(61)));
        // A later frame, when nobody knows any more.
        let later = start + BELIEVED;
        assert!(pace.allows(later, later + ms(100)));
        pace.set_budget(Some(Duration::ZERO));
        assert!(!pace.allows(later, later + ms(1)));
        pace.set_budget(None);
        assert!(pace.allows(start, later));
    }
}
