//! Frames on their way from the eyes, which capture and read, to the worker, which answers.
//!
//! It is bounded. Where the newest frame wins, one waits at most and a newer one takes its place; where every frame
//! counts, two wait and the eyes wait for room. What a frame was read into is used again.

use super::source::SourceError;
use ocellus::Reading;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// How many frames wait where every one counts.
const FRAMES: usize = 2;

/// How much other news waits where nothing waits for the worker.
const NEWS: usize = 8;

/// What the eyes tell the worker.
pub enum Item {
    /// A frame that was read.
    Frame(Seen),
    /// A frame that could not be had.
    Failed {
        /// Its number, where it has one.
        number: Option<u64>,
        /// What it would have been a picture of.
        image: String,
        /// Why.
        error: SourceError,
    },
    /// The source is gone, and is looked for.
    Lost {
        /// The source.
        image: String,
        /// Why.
        error: SourceError,
    },
}

/// A frame that was read.
pub struct Seen {
    /// What was read of it, by each reader.
    pub readings: Vec<Reading>,
    /// Its number, which counts those too that were never read.
    pub number: u64,
    /// What it is a picture of.
    pub image: String,
    /// When it came in.
    pub at: SystemTime,
    /// What was converted on the way.
    pub warnings: Vec<String>,
}

/// What the worker finds.
pub enum Taken {
    /// News.
    Item(Item),
    /// Nothing, in the time that was given.
    Nothing,
    /// There will be no more.
    Done,
}

/// The queue.
pub struct Queue {
    every: bool,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    items: VecDeque<Item>,
    spare: Vec<Vec<Reading>>,
    /// The worker wants no frame for now.
    rests: bool,
    /// No more will be put.
    finished: bool,
    /// No more will be taken.
    closed: bool,
}

impl Queue {
    /// A queue for which every frame counts, or only the newest.
    pub fn new(every: bool) -> Queue {
        Queue {
            every,
            inside: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Something to read a frame into.
    pub fn spare(&self) -> Vec<Reading> {
        self.inside().spare.pop().unwrap_or_default()
    }

    /// Whether a frame would be of any use just now.
    pub fn is_wanted(&self) -> bool {
        let inside = self.inside();
        (self.every || !inside.rests) && !inside.closed
    }

    /// Puts an item: at once where the newest frame wins, when there is room where every frame counts.
    pub fn put(&self, item: Item) {
        match self.every {
            true => self.put_each(item),
            false => self.put_newest(item),
        }
    }

    /// Puts a frame in the place of one that waits, or other news.
    fn put_newest(&self, item: Item) {
        let mut inside = self.inside();
        if inside.closed {
            return;
        }
        if matches!(item, Item::Frame(_)) {
            inside.drop_waiting();
        } else if matches!(item, Item::Lost { .. }) && inside.items.len() > NEWS {
            // The first news of a trouble say most.
            return;
        }
        inside.items.push_back(item);
        drop(inside);
        self.changed.notify_all();
    }

    /// Puts an item when there is room. Whoever waits for room is alive, by the worker's progress.
    fn put_each(&self, item: Item) {
        let full = |inside: &mut Inside| inside.items.len() >= FRAMES && !inside.closed;
        let mut inside = self
            .changed
            .wait_while(self.inside(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if inside.closed {
            return;
        }
        inside.items.push_back(item);
        drop(inside);
        self.changed.notify_all();
    }

    /// Takes what came first, and waits for it for a while.
    pub fn take(&self, patience: Duration) -> Taken {
        let empty =
            |inside: &mut Inside| inside.items.is_empty() && !inside.finished && !inside.closed;
        let (mut inside, _) = self
            .changed
            .wait_timeout_while(self.inside(), patience, empty)
            .unwrap_or_else(PoisonError::into_inner);
        if inside.closed {
            return Taken::Done;
        }
        let taken = match inside.items.pop_front() {
            Some(item) => Taken::Item(item),
            None if inside.finished => Taken::Done,
            None => Taken::Nothing,
        };
        drop(inside);
        self.changed.notify_all();
        taken
    }

    /// Gives back what a frame was read into.
    pub fn give_back(&self, readings: Vec<Reading>) {
        self.inside().spare.push(readings);
    }

    /// Whether the worker wants no frame for now. Where the newest wins, one that waits would be old after the rest, and
    /// is dropped, unless it is the last.
    pub fn rest(&self, rests: bool) {
        let mut inside = self.inside();
        inside.rests = rests;
        if !self.every && !inside.finished {
            inside.drop_waiting();
        }
    }

    /// Nothing will be put any more; what waits can still be taken.
    pub fn finish(&self) {
        self.inside().finished = true;
        self.changed.notify_all();
    }

    /// Nothing can be put or taken any more.
    pub fn close(&self) {
        self.inside().closed = true;
        self.changed.notify_all();
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Drops the frame that waits.
    fn drop_waiting(&mut self) {
        let waits = |item: &Item| matches!(item, Item::Frame(_));
        let at = self.items.iter().position(waits);
        if let Some(Item::Frame(old)) = at.and_then(|at| self.items.remove(at)) {
            self.spare.push(old.readings);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const EVERY: bool = true;
    pub const NEWEST: bool = false;

    /// A frame of nothing.
    pub fn frame(queue: &Queue, number: u64) -> Item {
        Item::Frame(Seen {
            readings: queue.spare(),
            number,
            image: "test".into(),
            at: SystemTime::UNIX_EPOCH,
            warnings: Vec::new(),
        })
    }

    pub fn trouble() -> Item {
        Item::Lost {
            image: "test".into(),
            error: SourceError::Empty {
                name: "test".into(),
            },
        }
    }

    /// The number of the frame that is taken; `None` for other news.
    fn take(queue: &Queue) -> Option<u64> {
        match queue.take(Duration::ZERO) {
            Taken::Item(Item::Frame(seen)) => {
                queue.give_back(seen.readings);
                Some(seen.number)
            }
            Taken::Item(_) => None,
            Taken::Nothing | Taken::Done => panic!("nothing to take"),
        }
    }

    #[test]
    fn the_newest_frame_waits_and_news_stay_in_their_order() {
        let queue = Queue::new(NEWEST);
        for number in 0..20 {
            queue.put(frame(&queue, number));
        }
        queue.put(trouble());
        queue.put(frame(&queue, 20));
        assert_eq!(take(&queue), None);
        assert_eq!(take(&queue), Some(20));
        assert!(matches!(queue.take(Duration::ZERO), Taken::Nothing));
        assert!(queue.inside().spare.len() <= 3, "memory is used again");
        (0..100).for_each(|_| queue.put(trouble()));
        assert!(queue.inside().items.len() <= NEWS + 1);
    }

    #[test]
    fn where_every_frame_counts_the_eyes_wait_for_room() {
        let queue = Queue::new(EVERY);
        std::thread::scope(|scope| {
            let eyes = scope.spawn(|| {
                (0..50).for_each(|number| queue.put(frame(&queue, number)));
                queue.finish();
            });
            for number in 0..50 {
                let taken = queue.take(Duration::from_secs(60));
                let Taken::Item(Item::Frame(seen)) = taken else {
                    panic!("a frame is missing");
                };
                assert_eq!(seen.number, number);
                assert!(queue.inside().items.len() <= FRAMES);
                queue.give_back(seen.readings);
            }
            assert!(matches!(queue.take(Duration::from_secs(60)), Taken::Done));
            eyes.join().expect("no panic");
        });
        assert!(queue.inside().spare.len() <= FRAMES + 2);
    }

    #[test]
    fn a_finished_queue_is_emptied_and_a_closed_one_is_not() {
        let queue = Queue::new(NEWEST);
        queue.put(frame(&queue, 1));
        queue.finish();
        assert_eq!(take(&queue), Some(1));
        assert!(matches!(queue.take(Duration::ZERO), Taken::Done));
        let queue = Queue::new(EVERY);
        queue.put(frame(&queue, 1));
        queue.put(frame(&queue, 2));
        std::thread::scope(|scope| {
            scope.spawn(|| queue.put(frame(&queue, 3)));
            queue.close();
        });
        assert!(matches!(queue.take(Duration::ZERO), Taken::Done));
        assert!(!queue.is_wanted());
    }

    #[test]
    fn what_came_before_a_rest_or_in_it_is_too_old_after_it_unless_it_is_the_last() {
        let queue = Queue::new(NEWEST);
        queue.put(frame(&queue, 1));
        queue.rest(true);
        assert!(!queue.is_wanted());
        // It was being read when the rest began.
        queue.put(frame(&queue, 2));
        queue.rest(false);
        assert!(queue.is_wanted());
        assert!(matches!(queue.take(Duration::ZERO), Taken::Nothing));
        queue.put(frame(&queue, 3));
        queue.finish();
        queue.rest(true);
        queue.rest(false);
        assert_eq!(take(&queue), Some(3));

        let queue = Queue::new(EVERY);
        queue.put(frame(&queue, 1));
        queue.rest(true);
        assert!(queue.is_wanted());
        queue.rest(false);
        assert_eq!(take(&queue), Some(1));
    }
}
