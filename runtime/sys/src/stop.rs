//! The end of a program that waits for frames: asked for by a signal or from inside, seen by whoever waits.
//!
//! Waiting is done with `poll` on what is waited for and on the end together, so that a program ends at once whatever it
//! waits for. Signals arrive in a descriptor too, and no handler runs: a crate such as signal-hook would make socket
//! calls to bring them there.
//!
//! Limits: signals are taken on Linux; elsewhere they end the process as ever.

use std::{
    fs::{File, OpenOptions},
    io::{self, PipeReader, PipeWriter, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
    time::{Duration, Instant},
};

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The end was asked for.
    Stop,
    /// What was waited for can be read, has ended or has failed.
    Ready,
    /// Time ran out.
    Late,
}

/// The end of a program, which any thread may ask for or wait for.
#[derive(Debug)]
pub struct Stop {
    /// Readable for good once the end was asked for.
    asked: PipeReader,
    ask: PipeWriter,
    #[cfg(target_os = "linux")]
    signals: Option<linux::Signals>,
}

impl Stop {
    /// An end that is asked for from inside only.
    ///
    /// # Errors
    /// The system's, where it gives no descriptors.
    pub fn new() -> io::Result<Stop> {
        let (asked, ask) = io::pipe()?;
        Ok(Stop {
            asked,
            ask,
            #[cfg(target_os = "linux")]
            signals: None,
        })
    }

    /// An end that SIGINT and SIGTERM ask for too. They are taken from this thread and from those that it starts later,
    /// so it is to be called before any is started. Once one has come, the next one ends the process in the system's way.
    ///
    /// # Errors
    /// Those of [`Stop::new`].
    pub fn on_signals() -> io::Result<Stop> {
        #[cfg(target_os = "linux")]
        {
            Ok(Stop {
                signals: Some(linux::Signals::take()?),
                ..Stop::new()?
            })
        }
        #[cfg(not(target_os = "linux"))]
        Stop::new()
    }

    /// Asks for the end.
    pub fn ask(&self) {
        // A pipe that holds a byte says all there is to say; more of them would fill it one day.
        if !self.is_asked() {
            let _ = (&self.ask).write_all(&[0]);
        }
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        matches!(self.wait(None, Some(Duration::ZERO)), Ok(Woken::Stop))
    }

    /// Waits until `what` can be read, the end is asked for, or `timeout` is over; `None` waits for ever.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(
        &self,
        what: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> io::Result<Woken> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let watched = |fd: Option<BorrowedFd<'_>>| libc::pollfd {
            // The kernel passes over a negative one.
            fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
            events: libc::POLLIN,
            revents: 0,
        };
        loop {
            let mut fds = [
                watched(Some(self.asked.as_fd())),
                watched(self.signals()),
                watched(what),
            ];
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // Up, so that a wait never ends before its time and begins again for nothing.
            let left_ms = left.map_or(-1, |left| {
                i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
            });
            // SAFETY: as many structs as are said, which outlive the call.
            if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as _, left_ms) } < 0 {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(error);
            }
            if fds[1].revents != 0 {
                self.take_signal();
                return Ok(Woken::Stop);
            }
            return Ok(match (fds[0].revents, fds[2].revents) {
                (0, 0) => Woken::Late,
                (0, _) => Woken::Ready,
                _ => Woken::Stop,
            });
        }
    }

    #[cfg(target_os = "linux")]
    fn signals(&self) -> Option<BorrowedFd<'_>> {
        self.signals.as_ref().map(AsFd::as_fd)
    }

    #[cfg(not(target_os = "linux"))]
    fn signals(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn take_signal(&self) {
        // First, so that nobody sees neither the signal nor what it asked for.
        let _ = (&self.ask).write_all(&[0]);
        #[cfg(target_os = "linux")]
        if let Some(signals) = &self.signals {
            signals.give_back();
        }
    }
}

/// Opens a file, a fifo or a device to read, and waits for no writer: reading asks to be tried again where
/// there is nothing yet, and [`Stop::wait`] tells when there is.
///
/// # Errors
/// The system's.
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io,
        mem::MaybeUninit,
        os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    };

    /// SIGINT and SIGTERM in a descriptor.
    pub struct Signals {
        fd: OwnedFd,
        /// What the thread that took them had blocked before.
        before: libc::sigset_t,
    }

    impl std::fmt::Debug for Signals {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.fd.fmt(f)
        }
    }

    impl Signals {
        pub fn take() -> io::Result<Signals> {
            let (mut taken, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            // SAFETY: a set is made whole before it is added to and read, and with SIG_BLOCK and good pointers the mask
            // cannot fail.
            let (fd, before) = unsafe {
                libc::sigemptyset(taken.as_mut_ptr());
                libc::sigaddset(taken.as_mut_ptr(), libc::SIGINT);
                libc::sigaddset(taken.as_mut_ptr(), libc::SIGTERM);
                let fd = libc::signalfd(-1, taken.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
                if fd < 0 {
                    return Err(io::Error::last_os_error());
                }
                libc::pthread_sigmask(libc::SIG_BLOCK, taken.as_ptr(), before.as_mut_ptr());
                (OwnedFd::from_raw_fd(fd), before.assume_init())
            };
            Ok(Signals { fd, before })
        }

        /// Takes the signal that came, and lets the next one do what it does by default.
        pub fn give_back(&self) {
            let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
            // SAFETY: as many bytes as there are; the set is one that the system gave.
            unsafe {
                libc::read(self.fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len());
                libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut());
            }
        }
    }

    impl AsFd for Signals {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.fd.as_fd()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, thread};

    const SOON: Option<Duration> = Some(Duration::from_millis(5));

    #[test]
    fn a_wait_ends_with_what_it_waits_for_or_late() {
        let stop = Stop::new().expect("a pipe");
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let start = Instant::now();
        let wait = |what| stop.wait(what, SOON).expect("a wait");
        assert_eq!(wait(Some(reader.as_fd())), Woken::Late);
        assert!(start.elapsed() >= Duration::from_millis(5));
        writer.write_all(b"x").expect("a reader");
        assert_eq!(wait(Some(reader.as_fd())), Woken::Ready);
        (&reader).read_exact(&mut [0]).expect("a byte");
        drop(writer);
        assert_eq!(wait(Some(reader.as_fd())), Woken::Ready, "the end is news");
    }

    #[test]
    fn the_end_is_seen_by_all_and_for_good() {
        let stop = Stop::new().expect("a pipe");
        assert!(!stop.is_asked());
        thread::scope(|scope| {
            let waits = [(); 2].map(|()| scope.spawn(|| stop.wait(None, None)));
            stop.ask();
            for wait in waits {
                assert_eq!(wait.join().expect("no panic").expect("a wait"), Woken::Stop);
            }
        });
        stop.ask();
        assert!(stop.is_asked());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_signal_asks_for_the_end_and_is_then_free_again() {
        let blocked = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").expect("a status");
            let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            u64::from_str_radix(line.expect("a mask").trim(), 16).expect("hexadecimal")
        };
        let before = blocked();
        let stop = Stop::on_signals().expect("a descriptor");
        assert_ne!(blocked(), before);
        assert_eq!(stop.wait(None, SOON).expect("a wait"), Woken::Late);
        // SAFETY: it is blocked in this thread, to which it goes.
        unsafe { libc::raise(libc::SIGTERM) };
        assert_eq!(stop.wait(None, None).expect("a wait"), Woken::Stop);
        assert!(stop.is_asked());
        assert_eq!(blocked(), before);
    }

    #[test]
    fn a_fifo_is_opened_without_its_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        let fifo = open_without_waiting(&path).expect("a fifo");
        let stop = Stop::new().expect("a pipe");
        let wait = || stop.wait(Some(fifo.as_fd()), SOON).expect("a wait");
        assert_eq!(wait(), Woken::Late);
        let mut writer = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("a reader");
        writer.write_all(b"x").expect("a reader");
        assert_eq!(wait(), Woken::Ready);
    }
}
