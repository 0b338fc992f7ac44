//! What every kernel's tests go through: each instruction set of this CPU, memory with guards, extreme values.
//!
//! A kernel is held to its scalar twin for each set of [`isas`], on inputs in each [`Place`], over lengths that cover
//! every tail. A read or write past a guard ends the test process; a write short of the guard is found in the canaries.

use crate::{Isa, Tier};
use std::ops::{Deref, DerefMut};
use std::ptr;

/// Every instruction set that this CPU has, lowest first.
pub fn isas() -> Vec<Isa> {
    let best = best_isa();
    Tier::ALL
        .into_iter()
        .filter(|&tier| tier <= best.tier())
        .map(|tier| best.at_most(tier))
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn best_isa() -> Isa {
    use crate::{DotProd, Neon};
    use std::arch::is_aarch64_feature_detected;
    if is_aarch64_feature_detected!("dotprod") && is_aarch64_feature_detected!("fp16") {
        // SAFETY: dotprod and fp16 were detected, and they include neon.
        return Isa::DotProd(unsafe { DotProd::assume() });
    }
    if is_aarch64_feature_detected!("neon") {
        // SAFETY: neon was detected.
        return Isa::Neon(unsafe { Neon::assume() });
    }
    Isa::Scalar
}

#[cfg(not(target_arch = "aarch64"))]
fn best_isa() -> Isa {
    Isa::Scalar
}

/// Fills of length `len` that are hard on integer kernels; the last two are varied, and differ.
pub fn fills(len: usize) -> [Vec<i8>; 7] {
    [
        vec![i8::MIN; len],
        vec![i8::MAX; len],
        vec![-127; len],
        (0..len)
            .map(|i| if i % 2 == 0 { i8::MIN } else { i8::MAX })
            .collect(),
        vec![0; len],
        noise(len, 1),
        noise(len, 2),
    ]
}

/// Bytes from a linear congruential generator (Knuth's MMIX constants), the same on every machine.
fn noise(len: usize, seed: u64) -> Vec<i8> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as i8
        })
        .collect()
}

/// Reals within `spread` of 0, the same on every machine.
pub fn reals(len: usize, spread: f32) -> Vec<f32> {
    let (high, low) = (noise(len, 3), noise(len, 4));
    let pairs = high.iter().zip(&low);
    let real = |(&high, &low): (&i8, &i8)| f32::from(high) + f32::from(low) / 256.0;
    pairs.map(|pair| real(pair) * (spread / 128.5)).collect()
}

/// Where guarded elements lie between their two guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The last element touches the guard behind: an over-read is found, and the start is as aligned as the length.
    BeforeGuard,
    /// The first element touches the guard in front: a read before the start is found.
    AfterGuard,
    /// One element after the guard in front: bytes start at an odd address.
    Odd,
}

impl Place {
    /// Every place.
    pub const ALL: [Place; 3] = [Place::BeforeGuard, Place::AfterGuard, Place::Odd];
}

/// What fills the memory between the guards and the elements.
const CANARY: u8 = 0xa5;

/// A copy of some elements between two pages that nobody may touch.
pub struct Guarded<T> {
    map: *mut u8,
    map_bytes: usize,
    page_bytes: usize,
    /// From the start of the map, in bytes.
    offset: usize,
    len: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Copy> Guarded<T> {
    /// Puts `values` in `place`.
    pub fn new(values: &[T], place: Place) -> Guarded<T> {
        // SAFETY: sysconf touches no memory of ours.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let bytes = size_of_val(values);
        // One element more than the values, for the odd place.
        let open_bytes = (bytes + size_of::<T>()).next_multiple_of(page_bytes);
        let map_bytes = open_bytes + 2 * page_bytes;
        let offset = match place {
            Place::BeforeGuard => page_bytes + open_bytes - bytes,
            Place::AfterGuard => page_bytes,
            Place::Odd => page_bytes + size_of::<T>(),
        };
        // SAFETY: a fresh anonymous mapping; the result is checked before it is used. The offset is inside the open
        // part and a multiple of T's size, hence of its alignment, from a page's start.
        unsafe {
            let map = libc::mmap(
                ptr::null_mut(),
                map_bytes,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert!(map != libc::MAP_FAILED, "no memory for guards");
            let map = map.cast::<u8>();
            let open = map.add(page_bytes);
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            assert!(libc::mprotect(open.cast(), open_bytes, writable) == 0);
            ptr::write_bytes(open, CANARY, open_bytes);
            ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), map.add(offset), bytes);
            Guarded {
                map,
                map_bytes,
                page_bytes,
                offset,
                len: values.len(),
                element: std::marker::PhantomData,
            }
        }
    }
}

impl<T> Guarded<T> {
    fn canaries_are_whole(&self) -> bool {
        let start = self.offset - self.page_bytes;
        let end = start + size_of_val::<[T]>(self);
        // SAFETY: the open part is between the two guard pages, and `new` wrote all of it.
        let open = unsafe {
            std::slice::from_raw_parts(
                self.map.add(self.page_bytes),
                self.map_bytes - 2 * self.page_bytes,
            )
        };
        let outside = [&open[..start], &open[end..]];
        outside
            .iter()
            .all(|part| part.iter().all(|&byte| byte == CANARY))
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` wrote `len` elements at the offset, which is aligned for T.
        unsafe { std::slice::from_raw_parts(self.map.add(self.offset).cast(), self.len) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the borrow of self is unique.
        unsafe { std::slice::from_raw_parts_mut(self.map.add(self.offset).cast(), self.len) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        let whole = self.canaries_are_whole();
        // SAFETY: the mapping is ours, and nothing can borrow it any more.
        unsafe { libc::munmap(self.map.cast(), self.map_bytes) };
        assert!(
            whole || std::thread::panicking(),
            "written outside the elements"
        );
    }
}
