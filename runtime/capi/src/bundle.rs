//! Bundles as C sees them.

use crate::{
    guard,
    handle::{self, Handled, Table},
    pointer::{self, place},
    status::{Failure, OCELLUS_E_BUNDLE, OCELLUS_E_IO},
};
use ocellus::Bundle;
use std::{
    ffi::{OsStr, c_char, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
};

/// A checked bundle: the models and everything that belongs to them. Never changes; threads and runtimes share it.
pub struct ocellus_bundle {
    _opaque: [u8; 0],
}

impl Handled for Bundle {
    type Token = ocellus_bundle;
    const NAME: &'static str = "bundle";
    fn table() -> &'static Table<Bundle> {
        static TABLE: Table<Bundle> = Table::new();
        &TABLE
    }
}

/// One file of a bundle in memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ocellus_file {
    /// Its name as the manifest has it, such as "manifest.toml": UTF-8 with a NUL.
    pub name: *const c_char,
    /// Its bytes.
    pub data: *const c_void,
    /// How many bytes.
    pub size: usize,
}

/// No path and no file name is longer.
const MAX_PATH_BYTES: usize = 4096;
/// A bundle is a handful of files.
const MAX_FILES: usize = 1024;

/// The bundle inside this library.
///
/// bundle    receives a handle that the caller frees with ocellus_bundle_free.
///
/// Errors: OCELLUS_E_NULL; OCELLUS_E_NO_BUNDLE where the library was built without one. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_bundle_default(bundle: *mut *mut ocellus_bundle) -> i32 {
    guard::call(|| {
        let to = place(bundle, "bundle")?;
        let handle = handle::put(embedded()?);
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

#[cfg(feature = "default-bundle")]
fn embedded() -> Result<Bundle, Failure> {
    Ok(Bundle::embedded(ocellus_models::DEFAULT)?)
}

#[cfg(not(feature = "default-bundle"))]
fn embedded() -> Result<Bundle, Failure> {
    let message = "this library carries no bundle; use ocellus_bundle_open, or build it with its feature default-bundle";
    Err(Failure::new(crate::status::OCELLUS_E_NO_BUNDLE, message))
}

/// Reads a bundle from its folder and checks the size and the SHA-256 of every file.
///
/// path      the folder, with a NUL.
/// bundle    receives a handle that the caller frees with ocellus_bundle_free.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_IO, OCELLUS_E_BUNDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_bundle_open(
    path: *const c_char,
    bundle: *mut *mut ocellus_bundle,
) -> i32 {
    guard::call(|| {
        let to = place(bundle, "bundle")?;
        // SAFETY: a text with a NUL by the caller's word, alive during the call.
        let path = unsafe { pointer::bytes(path, None, MAX_PATH_BYTES, "path")? };
        let path = path.ok_or_else(|| {
            Failure::new(
                OCELLUS_E_IO,
                format!("path: expected at most {MAX_PATH_BYTES} bytes"),
            )
        })?;
        let read = Bundle::open(Path::new(OsStr::from_bytes(path)))?;
        let handle = handle::put(read);
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

/// Takes a bundle from memory and checks the size and the SHA-256 of every file. What the manifest does not name is
/// left out.
///
/// files     `count` files, the manifest among them. They are copied: the caller may free them when the call returns.
/// bundle    receives a handle that the caller frees with ocellus_bundle_free.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_ARGUMENT, OCELLUS_E_UTF8, OCELLUS_E_BUNDLE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_bundle_from_memory(
    files: *const ocellus_file,
    count: usize,
    bundle: *mut *mut ocellus_bundle,
) -> i32 {
    guard::call(|| {
        let to = place(bundle, "bundle")?;
        if count > MAX_FILES {
            return Err(Failure::argument(format!(
                "files: expected at most {MAX_FILES}, got {count}"
            )));
        }
        if files.is_null() {
            return Err(Failure::null("files"));
        }
        // SAFETY: `count` files by the caller's word, alive during the call.
        let files = unsafe { pointer::slice(files, count, "files")? };
        let copied = files.iter().enumerate().map(|(index, file)| {
            // SAFETY: as above, and so are their names and bytes.
            unsafe { copy(file, index) }
        });
        let read = Bundle::from_memory(copied.collect::<Result<_, _>>()?)?;
        let handle = handle::put(read);
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

/// # Safety
/// The file keeps the header's word.
unsafe fn copy(file: &ocellus_file, index: usize) -> Result<(String, Vec<u8>), Failure> {
    let what = format!("files[{index}].name");
    // SAFETY: a text with a NUL by the caller's word.
    let name = unsafe { pointer::bytes(file.name, None, MAX_PATH_BYTES, &what)? };
    let name = name.ok_or_else(|| {
        Failure::new(
            OCELLUS_E_BUNDLE,
            format!("{what}: expected at most {MAX_PATH_BYTES} bytes"),
        )
    })?;
    let name = pointer::utf8(name, &what)?.to_owned();
    let what = format!("files[{index}].data");
    // SAFETY: `size` bytes by the caller's word.
    let data = unsafe { pointer::slice(file.data.cast::<u8>(), file.size, &what)? };
    Ok((name, data.to_vec()))
}

/// Frees a bundle. Runtimes that were made from it keep what they need. NULL is fine.
///
/// Errors: OCELLUS_E_HANDLE where it was freed before. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_bundle_free(bundle: *mut ocellus_bundle) -> i32 {
    guard::call(|| handle::free::<Bundle>(bundle))
}
