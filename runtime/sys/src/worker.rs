//! A thread of a library's own inside somebody else's program: with a name, without that program's signals, and on the
//! CPUs that the program says.
//!
//! Limits: CPUs are chosen on Linux, of the first 64.

use std::{
    io,
    mem::MaybeUninit,
    os::unix::thread::JoinHandleExt,
    thread::{Builder, JoinHandle},
};

/// Which of the process's living threads one is. The standard library's own handle would be allocated in every thread of
/// the program that calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThreadKey(libc::pthread_t);

impl ThreadKey {
    /// The calling thread's.
    pub fn this() -> ThreadKey {
        // SAFETY: it has no conditions.
        ThreadKey(unsafe { libc::pthread_self() })
    }
}

/// A thread that takes no signal of the program.
pub struct Worker {
    thread: JoinHandle<()>,
    #[cfg(target_os = "linux")]
    inherited: libc::cpu_set_t,
}

impl Worker {
    /// Starts a thread that runs `work`. Of its name, Linux keeps 15 bytes.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Worker> {
        #[cfg(target_os = "linux")]
        let inherited = affinity()?;
        // A thread begins with its maker's mask: so not even the first signal reaches it.
        let before = block_signals();
        let thread = Builder::new().name(name.to_owned()).spawn(work);
        restore_signals(&before);
        Ok(Worker {
            thread: thread?,
            #[cfg(target_os = "linux")]
            inherited,
        })
    }

    /// Keeps the thread to some CPUs: bit 0 is CPU 0; no bit means those that its maker had.
    ///
    /// # Errors
    /// The system's, where none of them is one that the process may use.
    #[cfg(target_os = "linux")]
    pub fn keep_to(&self, cpus: u64) -> io::Result<()> {
        let mut set = self.inherited;
        if cpus != 0 {
            // SAFETY: a set of zeros is one without CPUs, and every bit of the mask is below a set's size.
            unsafe {
                set = MaybeUninit::zeroed().assume_init();
                (0..64)
                    .filter(|cpu| cpus >> cpu & 1 == 1)
                    .for_each(|cpu| libc::CPU_SET(cpu, &mut set));
            }
        }
        let thread = self.thread.as_pthread_t();
        // SAFETY: the thread was not joined, for that consumes it, and the set has the size that is said.
        let error = unsafe { libc::pthread_setaffinity_np(thread, size_of_val(&set), &set) };
        match error {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Keeps the thread to some CPUs, where there is a way to.
    ///
    /// # Errors
    /// For any mask that asks for something.
    #[cfg(not(target_os = "linux"))]
    pub fn keep_to(&self, cpus: u64) -> io::Result<()> {
        match cpus {
            0 => Ok(()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The thread's key.
    pub fn key(&self) -> ThreadKey {
        ThreadKey(self.thread.as_pthread_t())
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        // A panic of its work was its own matter.
        let _ = self.thread.join();
    }
}

/// The CPUs that the calling thread may use.
#[cfg(target_os = "linux")]
fn affinity() -> io::Result<libc::cpu_set_t> {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: 0 is the calling thread, and the set has the size that is said.
    let error =
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    if error != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeros are a set, whatever of it was written.
    Ok(unsafe { set.assume_init() })
}

/// Blocks every signal for this thread, and returns what was blocked before.
fn block_signals() -> libc::sigset_t {
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the first call makes a whole set, the second reads it and writes the other; with SIG_SETMASK and good
    // pointers it cannot fail.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: the set is one that the system gave.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{fs, sync::mpsc};

    /// A line of this thread's status.
    fn status(key: &str) -> String {
        let status = fs::read_to_string("/proc/thread-self/status").expect("a thread has one");
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.expect("a key of every kernel")
            .trim_start_matches(':')
            .trim()
            .to_owned()
    }

    #[test]
    fn a_worker_has_a_name_and_no_signals_and_its_maker_keeps_its_own() {
        let before = status("SigBlk");
        let (say, heard) = mpsc::channel();
        let worker = Worker::spawn("ocellus", move || {
            say.send((status("Name"), status("SigBlk")))
                .expect("a listener");
        })
        .expect("a thread");
        assert_ne!(worker.key(), ThreadKey::this());
        let (name, blocked) = heard.recv().expect("a sender");
        worker.join();
        assert_eq!(name, "ocellus");
        let blocked = u64::from_str_radix(&blocked, 16).expect("hexadecimal");
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1, libc::SIGCHLD] {
            assert_eq!(blocked >> (signal - 1) & 1, 1, "signal {signal}");
        }
        assert_eq!(status("SigBlk"), before);
    }

    #[test]
    fn a_worker_keeps_to_its_cpus_and_comes_back() {
        let (ask, asked) = mpsc::channel::<()>();
        let (say, heard) = mpsc::channel();
        let worker = Worker::spawn("ocellus", move || {
            while asked.recv().is_ok() {
                say.send(status("Cpus_allowed_list")).expect("a listener");
            }
        })
        .expect("a thread");
        let allowed = || {
            ask.send(()).expect("a listener");
            heard.recv().expect("a sender")
        };
        let all = allowed();
        let first: u32 = all
            .split([',', '-'])
            .next()
            .and_then(|cpu| cpu.parse().ok())
            .expect("a CPU");
        worker.keep_to(1 << first).expect("a CPU that there is");
        assert_eq!(allowed(), first.to_string());
        worker.keep_to(0).expect("those of before");
        assert_eq!(allowed(), all);
        // No machine that tests run on has 64.
        assert!(worker.keep_to(1 << 63).is_err());
        assert_eq!(allowed(), all);
        drop(ask);
        worker.join();
    }
}
