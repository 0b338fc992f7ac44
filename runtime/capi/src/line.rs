//! Whose turn it is: a session is used by one thread at a time, and whoever came first goes first.
//!
//! An ordinary lock lets a thread that leaves come straight back. A worker with a stream of frames would do so for hours,
//! and a thread that wants to set labels would never come in.

use ocellus::sys::ThreadKey;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The threads that want to use one thing.
pub(crate) struct Line {
    standing: Mutex<Standing>,
    moved: Condvar,
}

struct Standing {
    /// The number of whoever comes next.
    next: u64,
    /// The number of whose turn it is, or of who comes next where nobody is there.
    turn: u64,
    /// Who is inside.
    inside: Option<ThreadKey>,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    /// Another thread is inside, or others are before this one.
    Busy,
    /// This thread is inside already.
    Inside,
}

/// A thread's turn; its end is the next one's beginning.
pub(crate) struct Turn<'a>(&'a Line);

impl Line {
    pub fn new() -> Line {
        Line {
            standing: Mutex::new(Standing {
                next: 0,
                turn: 0,
                inside: None,
            }),
            moved: Condvar::new(),
        }
    }

    /// Goes inside at once, or not at all.
    pub fn try_enter(&self) -> Result<Turn<'_>, Refused> {
        let mut standing = self.standing();
        standing.refuse_inside()?;
        if standing.next != standing.turn {
            return Err(Refused::Busy);
        }
        standing.next += 1;
        standing.inside = Some(ThreadKey::this());
        Ok(Turn(self))
    }

    /// Waits for those who came before, and goes inside.
    pub fn enter(&self) -> Result<Turn<'_>, Refused> {
        let mut standing = self.standing();
        standing.refuse_inside()?;
        let number = standing.next;
        standing.next += 1;
        let waits = |standing: &mut Standing| standing.turn != number;
        let mut standing = self
            .moved
            .wait_while(standing, waits)
            .unwrap_or_else(PoisonError::into_inner);
        standing.inside = Some(ThreadKey::this());
        Ok(Turn(self))
    }

    /// Whether this thread is inside.
    pub fn is_mine(&self) -> bool {
        self.standing().refuse_inside().is_err()
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn refuse_inside(&self) -> Result<(), Refused> {
        match self.inside == Some(ThreadKey::this()) {
            true => Err(Refused::Inside),
            false => Ok(()),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut standing = self.0.standing();
        standing.inside = None;
        standing.turn += 1;
        drop(standing);
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, sync::mpsc, thread, time::Duration};

    #[test]
    fn who_came_first_goes_first_and_the_one_who_leaves_goes_last() {
        let line = Arc::new(Line::new());
        let (say, heard) = mpsc::channel();
        let turn = line.enter().expect("nobody there");
        let wait = |name: &'static str| {
            let (theirs, say) = (line.clone(), say.clone());
            let before = line.standing().next;
            let waiting = thread::spawn(move || {
                let _turn = theirs.enter().expect("not inside");
                say.send(name).expect("a listener");
            });
            while line.standing().next == before {
                thread::yield_now();
            }
            waiting
        };
        let threads = [wait("first"), wait("second")];
        assert!(heard.recv_timeout(Duration::from_millis(20)).is_err());
        drop(turn);
        let turn = line.enter().expect("not inside");
        say.send("back").expect("a listener");
        drop(turn);
        let order: Vec<&str> = heard.iter().take(3).collect();
        assert_eq!(order, ["first", "second", "back"]);
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert!(line.try_enter().is_ok());
    }

    #[test]
    fn one_is_refused_where_it_would_wait_for_itself_or_others() {
        let line = Line::new();
        let turn = line.try_enter().expect("nobody there");
        assert!(line.is_mine());
        assert_eq!(line.enter().err(), Some(Refused::Inside));
        assert_eq!(line.try_enter().err(), Some(Refused::Inside));
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(!line.is_mine());
                assert_eq!(line.try_enter().err(), Some(Refused::Busy));
            });
        });
        drop(turn);
        assert!(!line.is_mine());
        assert!(line.enter().is_ok());
    }
}
