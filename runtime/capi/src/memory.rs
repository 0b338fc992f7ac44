//! What this library holds of the heap, counted as it is taken and given back.

use crate::{guard, pointer::place};
use ocellus::MemoryLimit;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// The system's allocator, counted.
struct Counted;

static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn taken(at: *mut u8, bytes: usize) -> *mut u8 {
    if !at.is_null() {
        ALLOCATIONS.fetch_add(1, Relaxed);
        let used = USED.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        if used > PEAK.load(Relaxed) {
            PEAK.fetch_max(used, Relaxed);
        }
    }
    at
}

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: handed through.
        taken(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: handed through.
        taken(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: handed through.
        let moved = taken(unsafe { System.realloc(at, layout, size) }, size);
        if !moved.is_null() {
            USED.fetch_sub(layout.size(), Relaxed);
        }
        moved
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: handed through.
        unsafe { System.dealloc(at, layout) };
        USED.fetch_sub(layout.size(), Relaxed);
    }
}

/// A runtime's limit; 0 is none.
pub(crate) fn limit(bytes: u64) -> MemoryLimit {
    match bytes {
        0 => MemoryLimit::NONE,
        bytes => MemoryLimit {
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            used: || USED.load(Relaxed),
        },
    }
}

/// What this library uses of the process's heap: all bundles, runtimes and sessions together. It is what
/// `memory_limit_bytes` bounds. Not in it: the library's code and the bundle inside it, stacks of threads, mapped dma-bufs,
/// and what the C library's allocator adds to each block.
///
/// used_bytes     receives how many bytes are used now.
/// peak_bytes     receives the most that ever were, while a bundle was loaded for instance.
/// allocations    receives how often memory was taken since the program started: while frames flow it stands still.
///
/// Errors: OCELLUS_E_NULL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_memory_used(
    used_bytes: *mut u64,
    peak_bytes: *mut u64,
    allocations: *mut u64,
) -> i32 {
    guard::call(|| {
        let used = place(used_bytes, "used_bytes")?;
        let peak = place(peak_bytes, "peak_bytes")?;
        let count = place(allocations, "allocations")?;
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe {
            used.write_unaligned(USED.load(Relaxed) as u64);
            peak.write_unaligned(PEAK.load(Relaxed) as u64);
            count.write_unaligned(ALLOCATIONS.load(Relaxed));
        }
        Ok(())
    })
}
