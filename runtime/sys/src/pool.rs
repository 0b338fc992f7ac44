//! Threads that share a piece of work with the one that asks for it.
//!
//! A pool belongs to one caller at a time. Who comes while it is in use does all of his work himself: several callers
//! have a core each already, and nobody waits. Threads look for work for some microseconds, as long as the gaps between
//! the steps of a frame are, and sleep then. A call allocates nothing.
//!
//! Limits: what is shared is cut beforehand, a part for each thread; nobody takes another's part.

use crate::{Worker, mark};
use std::{
    cell::UnsafeCell,
    fmt, hint, io,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

/// How often a thread looks before it sleeps: tens of microseconds on the cores of the boards.
const LOOKS: usize = 2000;

/// Threads for work that is cut into parts.
pub struct Pool {
    threads: usize,
    crew: Option<Crew>,
    /// Who marks the parts, where there is no crew.
    marks: Option<Arc<Marks>>,
}

/// Marks around each thread's part of what a pool without threads does, while they are on.
#[derive(Debug, Default)]
pub struct Marks {
    on: AtomicBool,
    parts: AtomicUsize,
}

impl Marks {
    /// From now on parts are marked: see [`mark`].
    pub fn begin(&self) {
        self.parts.store(0, SeqCst);
        self.on.store(true, SeqCst);
    }

    /// No more. How many parts were: as many as threads each time that work was shared, of a thread without work too.
    pub fn end(&self) -> usize {
        self.on.store(false, SeqCst);
        self.parts.load(SeqCst)
    }
}

/// The threads beside the caller's.
struct Crew {
    turn: Mutex<()>,
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

/// What the threads of a pool have in common.
struct Shared {
    /// Written by the caller before `round` goes up, read by workers between that and their taking part from `working`.
    job: UnsafeCell<Job>,
    /// The number of jobs so far.
    round: AtomicUsize,
    /// Workers that have not done their part of the job.
    working: AtomicUsize,
    panicked: AtomicBool,
    closing: AtomicBool,
    /// Threads that sleep, or are about to.
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

/// Work on a slice, without its types.
#[derive(Clone, Copy)]
struct Job {
    work: *const (),
    items: *mut (),
    len: usize,
    /// Works on every item whose index is the fourth argument, or that and a multiple of the fifth.
    run: unsafe fn(*const (), *mut (), usize, usize, usize),
}

// SAFETY: a job's pointers are of a `Sync` closure and of `Send` items, by the bounds of `Pool::each`; who may touch the
// cell is settled by `round` and `working`.
unsafe impl Send for Shared {}
// SAFETY: the same.
unsafe impl Sync for Shared {}

impl Pool {
    /// The most threads that a pool has.
    pub const MOST: usize = 16;

    /// A pool of `threads`, the caller's among them. They take no signals of the program.
    ///
    /// # Errors
    /// `InvalidInput` unless there are 1 to [`MOST`](Self::MOST); the system's, where it gives no thread.
    pub fn new(threads: usize) -> io::Result<Pool> {
        if threads == 0 || threads > Pool::MOST {
            let said = format!("expected 1 to {} threads, got {threads}", Pool::MOST);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
        }
        let mut pool = Pool {
            crew: None,
            threads,
            marks: None,
        };
        if threads > 1 {
            let crew = pool.crew.insert(Crew {
                turn: Mutex::new(()),
                shared: Arc::new(Shared::new()),
                workers: Vec::with_capacity(threads - 1),
            });
            for part in 1..threads {
                let shared = Arc::clone(&crew.shared);
                let work = move || shared.serve(part, threads);
                let worker = Worker::spawn(&format!("ocellus-{part}"), work)?;
                crew.workers.push(worker);
            }
        }
        Ok(pool)
    }

    /// The caller's thread alone.
    pub const fn one() -> Pool {
        Pool {
            threads: 1,
            crew: None,
            marks: None,
        }
    }

    /// No threads: work is cut as for `threads`, and the caller does one part after the other. For counting what the
    /// cutting costs, and for tests.
    ///
    /// # Panics
    /// Unless there are 1 to [`MOST`](Self::MOST).
    pub fn in_turn(threads: usize) -> Pool {
        assert!((1..=Pool::MOST).contains(&threads), "{threads} threads");
        Pool {
            threads,
            crew: None,
            marks: None,
        }
    }

    /// The same with marks around each part while they are on, for counting how even parts are.
    ///
    /// # Panics
    /// As there.
    pub fn marked(threads: usize, marks: &Arc<Marks>) -> Pool {
        Pool {
            marks: Some(Arc::clone(marks)),
            ..Pool::in_turn(threads)
        }
    }

    /// Into how many parts work is best cut.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Keeps the pool's own threads to some CPUs; see [`Worker::keep_to`].
    ///
    /// # Errors
    /// As there.
    pub fn keep_to(&self, cpus: u64) -> io::Result<()> {
        let mut workers = self.crew.iter().flat_map(|crew| &crew.workers);
        workers.try_for_each(|worker| worker.keep_to(cpus))
    }

    /// Does `work` on each of `items`, the first on the calling thread, and returns when all of it is done.
    ///
    /// # Panics
    /// If `work` does, on whichever thread, after every thread has stopped working.
    pub fn each<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        let crew = self.crew.as_ref().filter(|_| items.len() > 1);
        let turn = crew.and_then(|crew| match crew.turn.try_lock() {
            Ok(turn) => Some((crew, turn)),
            Err(TryLockError::Poisoned(turn)) => Some((crew, turn.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        });
        match turn {
            Some((crew, _turn)) => crew.share(self.threads, items, work),
            None => match self.marks.as_ref().filter(|marks| marks.on.load(SeqCst)) {
                Some(marks) if items.len() > 1 => self.each_marked(marks, items, work),
                _ => items.iter_mut().for_each(work),
            },
        }
    }

    fn each_marked<T>(&self, marks: &Marks, items: &mut [T], work: impl Fn(&mut T)) {
        for part in 0..self.threads {
            mark::begin();
            let own = items.iter_mut().skip(part).step_by(self.threads);
            own.for_each(&work);
            mark::end();
        }
        marks.parts.fetch_add(self.threads, SeqCst);
    }
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::one()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Crew {
    fn share<T: Send, W: Fn(&mut T) + Sync>(&self, threads: usize, items: &mut [T], work: W) {
        /// Waits for the workers even where the caller's own part panics: they hold borrows of its frame.
        struct Waiting<'a>(&'a Shared);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.wait_until(|| self.0.working.load(SeqCst) == 0);
            }
        }
        let shared = &*self.shared;
        let job = Job {
            work: (&raw const work).cast(),
            items: items.as_mut_ptr().cast(),
            len: items.len(),
            run: run::<T, W>,
        };
        // SAFETY: this thread has the turn, and no worker reads the job before the round goes up.
        unsafe { *shared.job.get() = job };
        shared.working.store(self.workers.len(), SeqCst);
        shared.round.fetch_add(1, SeqCst);
        shared.wake_sleepers();
        let waiting = Waiting(shared);
        // SAFETY: work and items live until all have done their part, and each touches items of its own.
        unsafe { (job.run)(job.work, job.items, job.len, 0, threads) };
        drop(waiting);
        if shared.panicked.swap(false, SeqCst) {
            panic!("a thread of the pool panicked");
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.closing.store(true, SeqCst);
        self.shared.wake_sleepers();
        self.workers.drain(..).for_each(Worker::join);
    }
}

impl Shared {
    fn new() -> Shared {
        /// Of no items.
        unsafe fn nothing(_: *const (), _: *mut (), _: usize, _: usize, _: usize) {}
        Shared {
            job: UnsafeCell::new(Job {
                work: std::ptr::null(),
                items: std::ptr::null_mut(),
                len: 0,
                run: nothing,
            }),
            round: AtomicUsize::new(0),
            working: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Does the part `part` of each job until the pool is dropped.
    fn serve(&self, part: usize, threads: usize) {
        let mut done = 0;
        loop {
            self.wait_until(|| self.round.load(SeqCst) != done || self.closing.load(SeqCst));
            if self.closing.load(SeqCst) {
                return;
            }
            // The next round waits for this thread, so that it misses none.
            done = done.wrapping_add(1);
            // SAFETY: the round went up, and the caller does not write again before this thread has counted itself out.
            let job = unsafe { *self.job.get() };
            // SAFETY: work and items live until then, and each thread touches items of its own.
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| unsafe {
                (job.run)(job.work, job.items, job.len, part, threads);
            }));
            if outcome.is_err() {
                self.panicked.store(true, SeqCst);
            }
            if self.working.fetch_sub(1, SeqCst) == 1 {
                self.wake_sleepers();
            }
        }
    }

    /// Who made `ready` true calls [`wake_sleepers`](Self::wake_sleepers) after it. Either that sees this thread among the
    /// sleepers, or this thread sees what was made true.
    fn wait_until(&self, ready: impl Fn() -> bool) {
        for _ in 0..LOOKS {
            if ready() {
                return;
            }
            hint::spin_loop();
        }
        let mut sleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, SeqCst);
        while !ready() {
            sleep = self
                .wake
                .wait(sleep)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }

    fn wake_sleepers(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            // Who counted himself holds the lock until he sleeps.
            drop(self.sleep.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

/// # Safety
/// `work` is a `W`, `items` are `len` of `T`, and nobody else touches those of this part.
unsafe fn run<T, W: Fn(&mut T)>(
    work: *const (),
    items: *mut (),
    len: usize,
    part: usize,
    threads: usize,
) {
    // SAFETY: by the caller's word.
    let work = unsafe { &*work.cast::<W>() };
    for at in (part..len).step_by(threads) {
        // SAFETY: below `len`, and this part's own.
        work(unsafe { &mut *items.cast::<T>().add(at) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::HashSet, thread, time::Duration};

    #[test]
    fn every_item_is_worked_on_once_by_the_thread_of_its_number() {
        for threads in 1..=5 {
            let pool = Pool::new(threads).expect("threads");
            for len in 0..=2 * threads {
                for _ in 0..50 {
                    let mut items: Vec<(usize, Option<thread::ThreadId>)> = vec![(0, None); len];
                    pool.each(&mut items, |item| {
                        *item = (item.0 + 1, Some(thread::current().id()));
                    });
                    assert!(items.iter().all(|item| item.0 == 1), "{threads} {len}");
                    let seen: HashSet<_> = items.iter().map(|item| item.1).collect();
                    assert_eq!(seen.len(), len.min(threads));
                    assert!(len == 0 || items[0].1 == Some(thread::current().id()));
                }
            }
        }
    }

    #[test]
    fn threads_that_sleep_are_woken() {
        let pool = Pool::new(3).expect("threads");
        for round in 0..20 {
            let mut items = [0; 3];
            thread::sleep(Duration::from_millis(2));
            pool.each(&mut items, |item| {
                // The caller sleeps too while it waits for these.
                thread::sleep(Duration::from_micros(300));
                *item = round;
            });
            assert_eq!(items, [round; 3]);
        }
    }

    #[test]
    fn callers_that_meet_work_by_themselves() {
        let pool = Pool::new(2).expect("threads");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut items = [1u64; 2];
                        pool.each(&mut items, |item| *item += 1);
                        assert_eq!(items, [2; 2]);
                    }
                });
            }
        });
        // One inside of another as well.
        let mut items = [0; 2];
        pool.each(&mut items, |item| {
            let mut inner = [1; 2];
            pool.each(&mut inner, |inner| *inner += 1);
            *item = inner[0] + inner[1];
        });
        assert_eq!(items, [4; 2]);
    }

    #[test]
    fn a_panic_on_any_thread_is_the_callers_and_the_pool_goes_on() {
        let pool = Pool::new(3).expect("threads");
        for bad in 0..3 {
            let mut items = [0, 1, 2];
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                pool.each(&mut items, |item| assert_ne!(*item, bad, "meant"));
            }));
            assert!(outcome.is_err(), "{bad}");
            let mut items = [0; 3];
            pool.each(&mut items, |item| *item = 7);
            assert_eq!(items, [7; 3]);
        }
    }

    #[test]
    fn parts_in_turn_are_those_of_threads() {
        for threads in 1..=4 {
            let mut parts = [0; 7];
            Pool::in_turn(threads).each(&mut parts, |part| *part += 1);
            assert_eq!(parts, [1; 7]);
            let marks = Arc::default();
            let pool = Pool::marked(threads, &marks);
            pool.each(&mut parts, |part| *part += 1);
            marks.begin();
            pool.each(&mut parts, |part| *part += 1);
            pool.each(&mut parts[..1], |part| *part -= 1);
            assert_eq!(marks.end(), threads);
            pool.each(&mut parts[1..], |part| *part -= 1);
            assert_eq!(parts, [2; 7]);
        }
    }

    #[test]
    fn no_threads_and_too_many_are_refused() {
        for threads in [0, Pool::MOST + 1] {
            let error = Pool::new(threads).expect_err("a bad number");
            assert!(error.to_string().contains(&threads.to_string()), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn its_threads_keep_to_cpus_that_there_are() {
        let pool = Pool::new(2).expect("threads");
        pool.keep_to(0).expect("those of before");
        // No machine that tests run on has 64.
        assert!(pool.keep_to(1 << 63).is_err());
        assert!(Pool::one().keep_to(1 << 63).is_ok());
    }
}
