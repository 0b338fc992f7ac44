//! Handles: what C holds instead of a pointer.
//!
//! A handle looks like a pointer, so that C's types tell a session from a runtime, but it is a number that was given out
//! once and never again, and it points nowhere: who follows it faults at once. It is looked up at each call, so one that
//! was freed, freed twice, made up or meant for another kind of thing is an error and never a memory access. A call
//! holds what it looked up: freeing it meanwhile is safe, and the thing goes when the last call that uses it returns.

use crate::status::{Failure, OCELLUS_E_HANDLE};
use std::{
    collections::BTreeMap,
    ptr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// These bits are in every handle and make it an address that no user space has, on x86-64 and on 64-bit ARM.
const NOWHERE: u64 = 0x0ce0_0000_0000_0000;

/// The number of the next handle, of whatever kind.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The living things of one kind, by their handles.
pub(crate) struct Table<T>(RwLock<BTreeMap<u64, Arc<T>>>);

/// A thing that C holds by a handle of type `Token`.
pub(crate) trait Handled: Sized + Send + Sync + 'static {
    /// The opaque type that C sees.
    type Token;
    /// What it is called.
    const NAME: &'static str;
    /// Where the living ones are.
    fn table() -> &'static Table<Self>;
}

impl<T> Table<T> {
    pub const fn new() -> Table<T> {
        Table(RwLock::new(BTreeMap::new()))
    }
}

/// Takes `thing` in and gives its handle out.
pub(crate) fn put<T: Handled>(thing: T) -> *mut T::Token {
    let handle = NOWHERE | NEXT.fetch_add(1, Ordering::Relaxed);
    let mut living = T::table().0.write().unwrap_or_else(PoisonError::into_inner);
    living.insert(handle, Arc::new(thing));
    ptr::without_provenance_mut(handle as usize)
}

/// What a handle stands for.
pub(crate) fn get<T: Handled>(handle: *const T::Token) -> Result<Arc<T>, Failure> {
    if handle.is_null() {
        return Err(Failure::null(T::NAME));
    }
    let living = T::table().0.read().unwrap_or_else(PoisonError::into_inner);
    let found = living.get(&(handle.addr() as u64)).cloned();
    found.ok_or_else(|| dead::<T>(handle))
}

/// Ends a handle. NULL is nothing to end.
pub(crate) fn free<T: Handled>(handle: *mut T::Token) -> Result<(), Failure> {
    if handle.is_null() {
        return Ok(());
    }
    let mut living = T::table().0.write().unwrap_or_else(PoisonError::into_inner);
    let found = living.remove(&(handle.addr() as u64));
    // What it stood for may take a while to go, and others look their handles up meanwhile.
    drop(living);
    found.map(drop).ok_or_else(|| dead::<T>(handle))
}

fn dead<T: Handled>(handle: *const T::Token) -> Failure {
    let message = format!(
        "{} {handle:p} is no handle that lives: it was freed, or never was a {}",
        T::NAME,
        T::NAME
    );
    Failure::new(OCELLUS_E_HANDLE, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::OCELLUS_E_NULL;
    use std::{sync::mpsc, thread};

    pub(crate) struct Token;

    impl Handled for String {
        type Token = Token;
        const NAME: &'static str = "text";
        fn table() -> &'static Table<String> {
            static TABLE: Table<String> = Table::new();
            &TABLE
        }
    }

    impl Handled for u8 {
        type Token = Token;
        const NAME: &'static str = "byte";
        fn table() -> &'static Table<u8> {
            static TABLE: Table<u8> = Table::new();
            &TABLE
        }
    }

    fn status<T>(result: Result<T, Failure>) -> i32 {
        result.err().map_or(0, |failure| failure.status)
    }

    #[test]
    fn a_freed_handle_is_dead_for_good() {
        let old = put("old".to_owned());
        assert_eq!(*get::<String>(old).expect("alive"), "old");
        assert_eq!(status(free::<String>(old)), 0);
        let new = put("new".to_owned());
        assert_ne!(old, new);
        assert_eq!(status(get::<String>(old)), OCELLUS_E_HANDLE);
        assert_eq!(status(free::<String>(old)), OCELLUS_E_HANDLE);
        assert_eq!(*get::<String>(new).expect("alive"), "new");
        free::<String>(new).expect("alive");
    }

    #[test]
    fn null_is_freed_and_not_found_and_strangers_are_neither() {
        assert_eq!(status(free::<String>(ptr::null_mut())), 0);
        assert_eq!(status(get::<String>(ptr::null())), OCELLUS_E_NULL);
        let mut other = Token;
        assert_eq!(status(get::<String>(&other)), OCELLUS_E_HANDLE);
        assert_eq!(status(free::<String>(&mut other)), OCELLUS_E_HANDLE);
        let byte = put(7_u8);
        assert_eq!(status(get::<String>(byte)), OCELLUS_E_HANDLE);
        assert_eq!(status(free::<String>(byte)), OCELLUS_E_HANDLE);
        assert_eq!(*get::<u8>(byte).expect("alive"), 7);
        free::<u8>(byte).expect("alive");
    }

    #[test]
    fn what_a_call_holds_outlives_its_handle() {
        let handle = put("held".to_owned()).addr();
        let (held, release) = (mpsc::channel(), mpsc::channel());
        let user = thread::spawn(move || {
            let text = get::<String>(ptr::without_provenance(handle)).expect("alive");
            held.0.send(()).expect("a listener");
            release.1.recv().expect("a sender");
            text.len()
        });
        held.1.recv().expect("a sender");
        free::<String>(ptr::without_provenance_mut(handle)).expect("alive");
        release.0.send(()).expect("a listener");
        assert_eq!(user.join().expect("no panic"), 4);
    }
}
