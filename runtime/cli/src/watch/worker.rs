//! The second half of the pipeline: answers what the eyes have read, switches pins, shows, and feeds the watchdog.

use super::{
    alerts::Alerts,
    brain::Brain,
    heat::{Heat, Known},
    queue::{Item, Queue, Seen, Taken},
    view::{Line, View, Way},
    watchdog::Watchdog,
};
use embedded_hal::digital::OutputPin;
use ocellus::{
    route::Routed,
    sys::{Stop, Woken},
};
use std::{
    collections::VecDeque,
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How long the worker waits for a frame before it looks after other things.
const PATIENCE: Duration = Duration::from_millis(250);

/// Over how many answers their rate is taken,
const RATE: usize = 16;

/// and over how long: before that, a camera may have been gone.
const RATE_TIME: Duration = Duration::from_secs(10);

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// What the board drew from the first answer to the last, in joules, where anything measures it.
    pub joules: Option<f64>,
    /// Frames that were answered.
    pub answered: u64,
    /// Frames that were left out between them.
    pub dropped: u64,
    /// Frames that could not be answered, and a source that ended before its time.
    pub failed: u64,
    /// How often the source was gone.
    pub lost: u64,
}

/// How the worker goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From the begin of an answer to that of the next, at least.
    pub interval: Duration,
    /// It ends after as many answers; 0 is never.
    pub frames: u64,
}

/// The worker.
pub struct Worker<'a, B, P> {
    pub queue: &'a Queue,
    /// Signs of life of the eyes.
    pub beats: &'a AtomicU64,
    pub stop: &'a Stop,
    pub brain: B,
    /// Whether to say how every route stood.
    pub explain: bool,
    pub view: View,
    pub alerts: Alerts<P>,
    pub watchdog: Watchdog<'a>,
    pub heat: Heat,
    pub pace: Pace,
}

impl<B: Brain, P: OutputPin> Worker<'_, B, P> {
    /// Works until the source ends, the end is asked for, or nobody reads what it shows. The pins are off then.
    ///
    /// # Errors
    /// Standard output's.
    pub fn run(mut self) -> io::Result<Summary> {
        let mut summary = Summary::default();
        let done = self.work(&mut summary);
        summary.joules = self.heat.joules();
        // Whatever else is the matter, nothing stays switched on.
        let released = match self.alerts.release() {
            Some(trouble) => self.view.note(&trouble),
            None => Ok(()),
        };
        done.and(released).map(|()| summary)
    }

    fn work(&mut self, summary: &mut Summary) -> io::Result<()> {
        let mut routed = Routed::default();
        let mut rate = Rate::default();
        let mut next = 0;
        while !self.stop.is_asked() {
            match self.queue.take(PATIENCE) {
                Taken::Done => break,
                Taken::Nothing => {
                    let trouble = self.alerts.idle();
                    self.say(trouble)?;
                    let beats = self.beats.load(Ordering::Relaxed);
                    self.watchdog.idle(beats);
                }
                Taken::Item(Item::Lost { image, error }) => {
                    summary.lost += 1;
                    self.view.lost(&image, &error)?;
                }
                Taken::Item(Item::Failed {
                    number,
                    image,
                    error,
                }) => {
                    summary.failed += 1;
                    let message = error.to_string();
                    self.view.failed(&image, number, (error.kind(), &message))?;
                    next = number.map_or(next, |number| number + 1);
                }
                Taken::Item(Item::Frame(seen)) => {
                    let dropped = seen.number.saturating_sub(next);
                    next = seen.number + 1;
                    summary.dropped += dropped;
                    let start = Instant::now();
                    let heat = self.heat.now();
                    self.brain.spare(heat.throttled);
                    let answered = self.brain.answer(&seen.readings, &mut routed);
                    let took = start.elapsed();
                    match answered {
                        Ok(()) => {
                            summary.answered += 1;
                            rate.count(Instant::now());
                            self.tell(&seen, dropped, rate.a_second(), heat, &mut routed)?;
                        }
                        Err(error) => {
                            summary.failed += 1;
                            let (number, message) = (Some(seen.number), error.to_string());
                            self.view
                                .failed(&seen.image, number, (error.kind(), &message))?;
                        }
                    }
                    self.queue.give_back(seen.readings);
                    self.watchdog.answered();
                    if summary.answered == self.pace.frames && summary.answered > 0 {
                        break;
                    }
                    self.rest(start, took, heat.throttled)?;
                }
            }
        }
        Ok(())
    }

    fn tell(
        &mut self,
        seen: &Seen,
        dropped: u64,
        fps: Option<f32>,
        heat: Known,
        routed: &mut Routed,
    ) -> io::Result<()> {
        // The pins first: they may open a door.
        let trouble = self.alerts.follow(&routed.report);
        self.say(trouble)?;
        let warnings = seen.warnings.iter().cloned();
        routed.report.warnings.extend(warnings);
        let standing = self.alerts.standing();
        let mut line = Line::new(seen, dropped, fps, heat, standing, &routed.report);
        line.route = Way::of(&routed.route, self.explain);
        self.view.answer(&line)
    }

    /// Rests until the next answer is due. A board that throttles rests as long as it worked, which halves its load.
    fn rest(&mut self, start: Instant, took: Duration, throttled: bool) -> io::Result<()> {
        let own = if throttled { 2 * took } else { Duration::ZERO };
        let until = start + self.pace.interval.max(own);
        if until <= Instant::now() {
            return Ok(());
        }
        self.queue.rest(true);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stop.wait(None, Some(left.min(PATIENCE)))? == Woken::Stop {
                break;
            }
            // It rests by its own will.
            self.watchdog.answered();
        }
        self.queue.rest(false);
        Ok(())
    }

    fn say(&mut self, trouble: Option<String>) -> io::Result<()> {
        trouble.map_or(Ok(()), |trouble| self.view.note(&trouble))
    }
}

/// How many answers there are a second.
#[derive(Default)]
struct Rate(VecDeque<Instant>);

impl Rate {
    fn count(&mut self, now: Instant) {
        let old = |first: &Instant| now.duration_since(*first) > RATE_TIME;
        while self.0.len() > RATE || self.0.len() > 1 && self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }

    fn a_second(&self) -> Option<f32> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let seconds = last.duration_since(*first).as_secs_f32();
        (seconds > 0.0).then(|| (self.0.len() - 1) as f32 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            pins::Pin,
            queue::tests::{EVERY, NEWEST, frame},
        },
        *,
    };
    use crate::power::PowerOption;
    use ocellus::Reading;
    use std::{cell::Cell, sync::mpsc, thread};

    /// Answers as a function says.
    struct Fake<F>(F);

    impl<F: FnMut()> Brain for Fake<F> {
        fn answer(&mut self, _: &[Reading], _: &mut Routed) -> Result<(), ocellus::Error> {
            (self.0)();
            // An answer without a report: nothing is shown on the test's standard output.
            Err(ocellus::Error::NoLabels)
        }

        fn spare(&mut self, _: bool) {}
    }

    fn worker<'a, F: FnMut()>(
        queue: &'a Queue,
        beats: &'a AtomicU64,
        stop: &'a Stop,
        brain: F,
        feed: impl FnMut() + 'a,
    ) -> Worker<'a, Fake<F>, Pin> {
        Worker {
            queue,
            beats,
            stop,
            brain: Fake(brain),
            explain: false,
            view: View::Lines,
            alerts: Alerts::new(&[], Duration::ZERO, Vec::new()).expect("no pins"),
            watchdog: Watchdog::new(Some(Duration::ZERO), feed),
            heat: Heat::of(Some("no/such/machine".into()), &PowerOption::default())
                .expect("no monitor was asked for"),
            pace: Pace {
                interval: Duration::ZERO,
                frames: 0,
            },
        }
    }

    #[test]
    fn a_stuck_answer_starves_the_watchdog_and_a_slow_one_does_not() {
        let (queue, stop) = (Queue::new(EVERY), Stop::new().expect("a pipe"));
        let (fed, beats) = (AtomicU64::new(0), AtomicU64::new(0));
        let (let_go, held) = mpsc::channel::<()>();
        let (say, begun) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let (queue, stop, fed, beats) = (&queue, &stop, &fed, &beats);
            let work = scope.spawn(move || {
                let brain = move || {
                    say.send(()).expect("a test");
                    held.recv().expect("a test");
                };
                let feed = || _ = fed.fetch_add(1, Ordering::SeqCst);
                worker(queue, beats, stop, brain, feed)
                    .run()
                    .expect("an output")
            });
            for number in 0..5 {
                queue.put(frame(queue, number));
                begun.recv().expect("an answer is begun");
                // However alive the eyes are, and however long it takes: not one feed for a frame that is not answered.
                for _ in 0..20 {
                    beats.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(1));
                    assert_eq!(fed.load(Ordering::SeqCst), number);
                }
                let_go.send(()).expect("a worker");
                while fed.load(Ordering::SeqCst) == number {
                    thread::yield_now();
                }
            }
            queue.finish();
            assert_eq!(work.join().expect("no panic").failed, 5);
        });
    }

    #[test]
    fn what_was_left_out_is_counted_and_the_end_may_be_asked_for() {
        let (queue, stop) = (Queue::new(NEWEST), Stop::new().expect("a pipe"));
        for number in [0, 1, 2, 7, 8] {
            queue.put(frame(&queue, number));
        }
        queue.finish();
        let beats = AtomicU64::new(0);
        let summary = worker(&queue, &beats, &stop, || (), || ())
            .run()
            .expect("an output");
        assert_eq!((summary.dropped, summary.failed), (8, 1));
        let queue = Queue::new(NEWEST);
        queue.put(frame(&queue, 0));
        let answers = Cell::new(0);
        let brain = || {
            answers.set(answers.get() + 1);
            stop.ask();
        };
        worker(&queue, &beats, &stop, brain, || ())
            .run()
            .expect("an output");
        assert_eq!(answers.get(), 1);
    }

    #[test]
    fn a_rate_is_of_the_last_answers() {
        let mut rate = Rate::default();
        let start = Instant::now();
        assert_eq!(rate.a_second(), None);
        for answer in 0..100_u32 {
            // A quick begin is forgotten.
            let at = answer.saturating_sub(50) * 100 + answer;
            rate.count(start + Duration::from_millis(at.into()));
        }
        let fps = rate.a_second().expect("a rate");
        assert!((fps - 1000.0 / 101.0).abs() < 0.01, "{fps}");
        // Once a minute is a rate too, and after a camera was gone it is that of the answers since.
        let mut rate = Rate::default();
        rate.count(start);
        rate.count(start + Duration::from_secs(60));
        assert_eq!(rate.a_second(), Some(1.0 / 60.0));
        rate.count(start + Duration::from_secs(62));
        assert_eq!(rate.a_second(), Some(0.5));
    }
}
