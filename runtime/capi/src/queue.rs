//! Frames on their way to a session's worker: one may wait, the newest.
//!
//! What a frame was read into is used again: there is one that waits, one in work and one that the next frame is read
//! into, and never more.

use ocellus::Reading;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A frame that was read.
pub(crate) struct Waiting {
    pub reading: Reading,
    pub timestamp_ns: i64,
    pub cookie: u64,
    /// When it was accepted.
    pub accepted: Instant,
    /// Frames are numbered as they are accepted, from 1.
    number: u64,
    /// How many were dropped between the frame that was taken before and this one.
    pub dropped: u32,
}

/// A queue of one.
pub(crate) struct Queue {
    inside: Mutex<Inside>,
    changed: Condvar,
}

struct Inside {
    waiting: Option<Waiting>,
    /// The number of the frame in work.
    working: Option<u64>,
    spare: Vec<Waiting>,
    /// The number of the last frame that was accepted.
    last: u64,
    /// How many were dropped since the last one that was taken.
    dropped: u32,
    closed: bool,
}

impl Queue {
    pub fn new() -> Queue {
        Queue {
            inside: Mutex::new(Inside {
                waiting: None,
                working: None,
                spare: Vec::with_capacity(3),
                last: 0,
                dropped: 0,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Whether a frame waits.
    pub fn is_full(&self) -> bool {
        self.inside().waiting.is_some()
    }

    /// Something to read a frame into.
    pub fn spare(&self) -> Waiting {
        let spare = self.inside().spare.pop();
        spare.unwrap_or_else(|| Waiting {
            reading: Reading::default(),
            timestamp_ns: 0,
            cookie: 0,
            accepted: Instant::now(),
            number: 0,
            dropped: 0,
        })
    }

    /// Accepts a frame, in the place of one that waits.
    pub fn put(&self, mut frame: Waiting) {
        let mut inside = self.inside();
        inside.last += 1;
        frame.number = inside.last;
        frame.accepted = Instant::now();
        inside.drop_waiting();
        if !inside.closed {
            inside.waiting = Some(frame);
        }
        drop(inside);
        self.changed.notify_all();
    }

    /// Waits for a frame and takes it; `None` once the queue is closed.
    pub fn take(&self) -> Option<Waiting> {
        let idle = |inside: &mut Inside| inside.waiting.is_none() && !inside.closed;
        let mut inside = self
            .changed
            .wait_while(self.inside(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let mut frame = inside.waiting.take()?;
        frame.dropped = std::mem::take(&mut inside.dropped);
        inside.working = Some(frame.number);
        Some(frame)
    }

    /// A frame that was taken is answered.
    pub fn done(&self, frame: Waiting) {
        let mut inside = self.inside();
        inside.working = None;
        inside.spare.push(frame);
        drop(inside);
        self.changed.notify_all();
    }

    /// Drops the frame that waits.
    pub fn cancel(&self) {
        self.inside().drop_waiting();
        self.changed.notify_all();
    }

    /// Waits until every frame that was accepted before is answered or dropped; whether that was so in time.
    pub fn flush(&self, timeout: Duration) -> bool {
        let inside = self.inside();
        let last = inside.last;
        let open = |inside: &mut Inside| {
            let waiting = inside.waiting.as_ref().map(|frame| frame.number);
            [waiting, inside.working]
                .iter()
                .flatten()
                .any(|number| *number <= last)
        };
        let done = self.changed.wait_timeout_while(inside, timeout, open);
        !done.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Drops the frame that waits, and takes no other.
    pub fn close(&self) {
        let mut inside = self.inside();
        inside.drop_waiting();
        inside.closed = true;
        drop(inside);
        self.changed.notify_all();
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn drop_waiting(&mut self) {
        if let Some(frame) = self.waiting.take() {
            self.spare.push(frame);
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(queue: &Queue, cookie: u64) {
        let mut frame = queue.spare();
        frame.cookie = cookie;
        queue.put(frame);
    }

    /// Takes a frame: its cookie, and how many were dropped before it.
    fn take(queue: &Queue) -> (u64, u32) {
        let frame = queue.take().expect("a frame");
        let taken = (frame.cookie, frame.dropped);
        queue.done(frame);
        taken
    }

    #[test]
    fn the_newest_frame_waits_and_the_dropped_ones_are_counted() {
        let queue = Queue::new();
        put(&queue, 1);
        assert_eq!(take(&queue), (1, 0));
        (2..=4).for_each(|cookie| put(&queue, cookie));
        assert!(queue.is_full());
        assert_eq!(take(&queue), (4, 2));
        put(&queue, 5);
        queue.cancel();
        assert!(!queue.is_full());
        put(&queue, 6);
        assert_eq!(take(&queue), (6, 1));
    }

    #[test]
    fn no_more_than_three_frames_are_ever_made() {
        let queue = Queue::new();
        for cookie in 0..50 {
            put(&queue, cookie);
            let working = queue.take().expect("a frame");
            put(&queue, cookie);
            put(&queue, cookie);
            if cookie % 2 == 0 {
                queue.cancel();
            }
            queue.done(working);
        }
        let inside = queue.inside();
        assert!(inside.spare.len() + usize::from(inside.waiting.is_some()) <= 3);
    }

    #[test]
    fn a_flush_waits_for_the_frames_before_it_only() {
        let queue = Queue::new();
        let soon = Duration::from_millis(1);
        assert!(queue.flush(Duration::ZERO));
        put(&queue, 1);
        assert!(!queue.flush(soon));
        let working = queue.take().expect("a frame");
        assert!(!queue.flush(soon));
        std::thread::scope(|scope| {
            let flush = scope.spawn(|| queue.flush(Duration::from_secs(60)));
            queue.done(working);
            assert!(flush.join().expect("no panic"));
        });
        put(&queue, 2);
        queue.cancel();
        assert!(queue.flush(Duration::ZERO));
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_gives_nothing() {
        let queue = Queue::new();
        put(&queue, 1);
        queue.close();
        put(&queue, 2);
        assert!(queue.take().is_none());
        assert!(queue.flush(Duration::ZERO));
    }
}
