//! The border: every call from C runs in [`call`], which lets no panic out, prints nothing, and keeps the message of a
//! failure for the thread that made the call.
//!
//! Rust's panic hook belongs to the whole process (to this library's copy of Rust, where it is linked to a C program). It
//! is replaced once by one that is silent while the panicking thread is inside [`call`], and the one before otherwise.

use crate::status::{Failure, OCELLUS_E_PANIC, OCELLUS_OK};
use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::Once,
};

thread_local! {
    /// How many calls this thread is inside of: a log callback may call again.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic of this thread was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    /// The message of this thread's last failure.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Runs `body` and returns its status.
pub(crate) fn call(body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    match caught(body) {
        Ok(()) => OCELLUS_OK,
        Err(failure) => {
            let status = failure.status;
            // A thread that is ending has no message any more; its status stands.
            let _ = LAST.try_with(|last| last.replace(failure.message));
            status
        }
    }
}

/// Runs `body`; a panic is a failure.
pub(crate) fn caught<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    install();
    let _inside = Inside::enter();
    // What a panic may leave half done is either dropped with the closure or behind a lock that survives it.
    let done = panic::catch_unwind(AssertUnwindSafe(|| {
        checkpoint();
        body()
    }));
    done.unwrap_or_else(|payload| {
        let why = match (
            payload.downcast_ref::<&str>(),
            payload.downcast_ref::<String>(),
        ) {
            (Some(why), _) => why,
            (None, Some(why)) => why.as_str(),
            (None, None) => "no message",
        };
        let place = PLACE.try_with(RefCell::take).unwrap_or_default();
        let message = format!("a fault of this library at {place}: {why}; please report it");
        Err(Failure::new(OCELLUS_E_PANIC, message))
    })
}

/// The message of this thread's last failure.
pub(crate) fn with_last_error<T>(read: impl FnOnce(&str) -> T) -> Option<T> {
    LAST.try_with(|last| Some(read(last.try_borrow().ok()?.as_str())))
        .ok()?
}

/// This thread is inside of a call.
struct Inside;

impl Inside {
    fn enter() -> Inside {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = DEPTH.try_with(|depth| depth.set(depth.get() - 1));
    }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| panic::set_hook(quiet(panic::take_hook())));
}

/// `before`, but for panics inside of a call.
fn quiet(before: Hook) -> Hook {
    Box::new(move |info| {
        let inside = DEPTH.try_with(|depth| depth.get() > 0);
        if !inside.unwrap_or(false) {
            return before(info);
        }
        let place = info.location().map(ToString::to_string);
        let _ = PLACE.try_with(|kept| kept.replace(place.unwrap_or_default()));
    })
}

/// A place where a test may have a panic injected; nothing in a library that ships.
#[cfg(not(test))]
pub(crate) fn checkpoint() {}

#[cfg(test)]
pub(crate) use injected::{checkpoint, panic_after};

/// Panics where tests ask for them.
#[cfg(test)]
mod injected {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// The checkpoint of this thread after `passed` others panics.
    pub(crate) fn panic_after(passed: u32) {
        LEFT.set(Some(passed));
    }

    pub(crate) fn checkpoint() {
        match LEFT.get() {
            Some(0) => {
                LEFT.set(None);
                panic!("injected");
            }
            left => LEFT.set(left.map(|left| left - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        thread,
    };

    #[test]
    fn the_hook_before_hears_of_panics_outside_of_calls_only() {
        install();
        let heard = Arc::new(AtomicU32::new(0));
        let (count, here) = (heard.clone(), thread::current().id());
        let before = panic::take_hook();
        panic::set_hook(quiet(Box::new(move |info| {
            match thread::current().id() == here {
                true => _ = count.fetch_add(1, Ordering::Relaxed),
                false => before(info),
            }
        })));
        panic_after(0);
        assert_eq!(call(|| Ok(())), OCELLUS_E_PANIC);
        assert_eq!(heard.load(Ordering::Relaxed), 0);
        let outside = panic::catch_unwind(|| panic!("outside"));
        assert!(outside.is_err());
        assert_eq!(heard.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_panic_says_where_and_why() {
        assert_eq!(call(|| panic!("no such {}", "luck")), OCELLUS_E_PANIC);
        let message = with_last_error(str::to_owned).expect("a thread that lives");
        assert!(
            message.contains("guard.rs:") && message.contains("no such luck"),
            "{message}"
        );
    }

    #[test]
    fn messages_belong_to_their_thread() {
        let fail = |text: &'static str| call(|| Err(Failure::argument(text)));
        fail("here");
        thread::spawn(move || fail("there"))
            .join()
            .expect("no panic");
        assert_eq!(with_last_error(str::to_owned).as_deref(), Some("here"));
        assert_eq!(call(|| Ok(())), OCELLUS_OK);
        assert_eq!(with_last_error(str::to_owned).as_deref(), Some("here"));
    }
}
