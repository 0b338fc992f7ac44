//! Status codes, and which error of the library becomes which.

use ocellus::{Error, ExamplesError, bundle::BundleError, route::RouteError, vision::FrameError};
use std::ffi::CStr;

/// Success.
pub const OCELLUS_OK: i32 = 0;

/// Arguments: a value is out of range; the message names it.
pub const OCELLUS_E_ARGUMENT: i32 = 100;
/// Arguments: a pointer that must point somewhere is NULL.
pub const OCELLUS_E_NULL: i32 = 101;
/// Arguments: a struct's `struct_size` is none that this library knows, or the bytes beyond what it knows are not zero.
pub const OCELLUS_E_STRUCT_SIZE: i32 = 102;
/// Arguments: a handle was freed, or was never given out by this library as that kind of handle.
pub const OCELLUS_E_HANDLE: i32 = 103;
/// Arguments: a text is not UTF-8.
pub const OCELLUS_E_UTF8: i32 = 104;
/// Arguments: labels that cannot be used: none, too many, an empty or an over-long one, one of unknown words only.
pub const OCELLUS_E_LABELS: i32 = 105;
/// Arguments: the session has no labels yet.
pub const OCELLUS_E_NO_LABELS: i32 = 106;
/// Arguments: the policy does not fit the bundle.
pub const OCELLUS_E_POLICY: i32 = 107;
/// Arguments: the caller's array is too small; the message says how much it needs.
pub const OCELLUS_E_CAPACITY: i32 = 108;
/// Arguments: relevance was asked of a session that does not compute it, or before its first frame.
pub const OCELLUS_E_NO_RELEVANCE: i32 = 109;
/// Arguments: the program was compiled with a header that this library does not serve.
pub const OCELLUS_E_ABI: i32 = 110;
/// Arguments: the session was made without on_result, and has no worker.
pub const OCELLUS_E_NO_WORKER: i32 = 111;
/// Arguments: a label was to be forgotten that was not taught.
pub const OCELLUS_E_NOT_TAUGHT: i32 = 112;
/// Arguments: the frame teaches another label already, or there are as many examples as there may be.
pub const OCELLUS_E_NOT_TEACHABLE: i32 = 113;
/// Arguments: a session of a router sees another part of frames than when the router was made; make it again.
pub const OCELLUS_E_ROUTE_CHANGED: i32 = 114;

/// Input, output and models: a file cannot be read.
pub const OCELLUS_E_IO: i32 = 200;
/// Input, output and models: a bundle is incomplete, damaged, or no bundle.
pub const OCELLUS_E_BUNDLE: i32 = 201;
/// Input, output and models: a model was refused, or failed to run.
pub const OCELLUS_E_MODEL: i32 = 202;
/// Input, output and models: this library was built without a default bundle.
pub const OCELLUS_E_NO_BUNDLE: i32 = 203;
/// Input, output and models: saved examples are damaged, of another bundle or version, or something else.
pub const OCELLUS_E_EXAMPLES: i32 = 204;

/// Frame: the fourcc names no pixel format that is supported.
pub const OCELLUS_E_FRAME_FORMAT: i32 = 300;
/// Frame: a side is zero, too long, or odd where the format needs it even.
pub const OCELLUS_E_FRAME_SIZE: i32 = 301;
/// Frame: a wrong number of planes, or a plane that ends before its last row.
pub const OCELLUS_E_FRAME_PLANE: i32 = 302;
/// Frame: a stride is shorter than its row, or so long that the plane would be larger than memory.
pub const OCELLUS_E_FRAME_STRIDE: i32 = 303;
/// Frame: the crop is empty or leaves the frame.
pub const OCELLUS_E_FRAME_CROP: i32 = 304;
/// Frame: a plane's descriptor cannot be read as memory: not open, no dma-buf, shorter than `size`, or beside `data`.
pub const OCELLUS_E_FRAME_DMABUF: i32 = 305;

/// Denied: a call with this session has not returned, or a frame waits already.
pub const OCELLUS_E_BUSY: i32 = 400;
/// Denied: the call would wait for the callback that it comes from.
pub const OCELLUS_E_IN_CALLBACK: i32 = 401;
/// Denied: the time was over before frames were answered.
pub const OCELLUS_E_TIMEOUT: i32 = 402;
/// Denied: the system gave no thread.
pub const OCELLUS_E_THREAD: i32 = 403;
/// Denied: this library would use more memory than `memory_limit_bytes`.
pub const OCELLUS_E_MEMORY: i32 = 404;
/// Denied: every route of the router is over its threshold or busy.
pub const OCELLUS_E_NO_ROUTE: i32 = 405;

/// Panic: a fault of this library was caught. The call had no effect, and other handles are unharmed.
pub const OCELLUS_E_PANIC: i32 = 500;

/// Every status with its name.
const NAMES: [(i32, &CStr); 34] = [
    (OCELLUS_OK, c"OCELLUS_OK"),
    (OCELLUS_E_ARGUMENT, c"OCELLUS_E_ARGUMENT"),
    (OCELLUS_E_NULL, c"OCELLUS_E_NULL"),
    (OCELLUS_E_STRUCT_SIZE, c"OCELLUS_E_STRUCT_SIZE"),
    (OCELLUS_E_HANDLE, c"OCELLUS_E_HANDLE"),
    (OCELLUS_E_UTF8, c"OCELLUS_E_UTF8"),
    (OCELLUS_E_LABELS, c"OCELLUS_E_LABELS"),
    (OCELLUS_E_NO_LABELS, c"OCELLUS_E_NO_LABELS"),
    (OCELLUS_E_POLICY, c"OCELLUS_E_POLICY"),
    (OCELLUS_E_CAPACITY, c"OCELLUS_E_CAPACITY"),
    (OCELLUS_E_NO_RELEVANCE, c"OCELLUS_E_NO_RELEVANCE"),
    (OCELLUS_E_ABI, c"OCELLUS_E_ABI"),
    (OCELLUS_E_NO_WORKER, c"OCELLUS_E_NO_WORKER"),
    (OCELLUS_E_NOT_TAUGHT, c"OCELLUS_E_NOT_TAUGHT"),
    (OCELLUS_E_NOT_TEACHABLE, c"OCELLUS_E_NOT_TEACHABLE"),
    (OCELLUS_E_ROUTE_CHANGED, c"OCELLUS_E_ROUTE_CHANGED"),
    (OCELLUS_E_IO, c"OCELLUS_E_IO"),
    (OCELLUS_E_BUNDLE, c"OCELLUS_E_BUNDLE"),
    (OCELLUS_E_MODEL, c"OCELLUS_E_MODEL"),
    (OCELLUS_E_NO_BUNDLE, c"OCELLUS_E_NO_BUNDLE"),
    (OCELLUS_E_EXAMPLES, c"OCELLUS_E_EXAMPLES"),
    (OCELLUS_E_FRAME_FORMAT, c"OCELLUS_E_FRAME_FORMAT"),
    (OCELLUS_E_FRAME_SIZE, c"OCELLUS_E_FRAME_SIZE"),
    (OCELLUS_E_FRAME_PLANE, c"OCELLUS_E_FRAME_PLANE"),
    (OCELLUS_E_FRAME_STRIDE, c"OCELLUS_E_FRAME_STRIDE"),
    (OCELLUS_E_FRAME_CROP, c"OCELLUS_E_FRAME_CROP"),
    (OCELLUS_E_FRAME_DMABUF, c"OCELLUS_E_FRAME_DMABUF"),
    (OCELLUS_E_BUSY, c"OCELLUS_E_BUSY"),
    (OCELLUS_E_IN_CALLBACK, c"OCELLUS_E_IN_CALLBACK"),
    (OCELLUS_E_TIMEOUT, c"OCELLUS_E_TIMEOUT"),
    (OCELLUS_E_THREAD, c"OCELLUS_E_THREAD"),
    (OCELLUS_E_MEMORY, c"OCELLUS_E_MEMORY"),
    (OCELLUS_E_NO_ROUTE, c"OCELLUS_E_NO_ROUTE"),
    (OCELLUS_E_PANIC, c"OCELLUS_E_PANIC"),
];

/// The name of a status.
pub(crate) fn name(status: i32) -> Option<&'static CStr> {
    let entry = NAMES.iter().find(|(code, _)| *code == status)?;
    Some(entry.1)
}

/// Why a call failed: the status it returns, and the message that `ocellus_last_error` gives.
#[derive(Debug)]
pub(crate) struct Failure {
    pub status: i32,
    pub message: String,
}

impl Failure {
    pub fn new(status: i32, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
        }
    }

    /// A value out of range.
    pub fn argument(message: impl Into<String>) -> Failure {
        Failure::new(OCELLUS_E_ARGUMENT, message)
    }

    /// A pointer that must point somewhere.
    pub fn null(what: &str) -> Failure {
        Failure::new(OCELLUS_E_NULL, format!("{what} is NULL"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let status = match &error {
            Error::Bundle(error) => return Failure::of_bundle(error),
            Error::Frame(error) => return Failure::of_frame(error),
            Error::Encoder(_) | Error::NotFinite { .. } | Error::Attention(_) => OCELLUS_E_MODEL,
            Error::Language(_) => OCELLUS_E_LABELS,
            Error::Examples(error) => return Failure::of_examples(error),
            Error::Policy { .. } => OCELLUS_E_POLICY,
            Error::Template(_) | Error::PromptMix { .. } | Error::NoSoftPrompts { .. } => {
                OCELLUS_E_ARGUMENT
            }
            Error::NoRelevance { .. } => OCELLUS_E_NO_RELEVANCE,
            Error::Memory { .. } => OCELLUS_E_MEMORY,
            Error::NoLabels => OCELLUS_E_NO_LABELS,
            Error::Route(RouteError::AllSkipped(_)) => OCELLUS_E_NO_ROUTE,
            Error::Route(RouteError::InUse { .. }) => OCELLUS_E_BUSY,
            Error::Route(RouteError::NotRead { .. }) => OCELLUS_E_ROUTE_CHANGED,
            // No function here decodes pictures.
            Error::Decode(_) | Error::Route(_) => OCELLUS_E_ARGUMENT,
        };
        Failure::new(status, error.to_string())
    }
}

impl Failure {
    fn of_bundle(error: &BundleError) -> Failure {
        let status = match error {
            BundleError::Io { .. } => OCELLUS_E_IO,
            _ => OCELLUS_E_BUNDLE,
        };
        Failure::new(status, error.to_string())
    }

    fn of_examples(error: &ExamplesError) -> Failure {
        let status = match error {
            ExamplesError::NotTaught { .. } => OCELLUS_E_NOT_TAUGHT,
            ExamplesError::Contradiction { .. } | ExamplesError::Full => OCELLUS_E_NOT_TEACHABLE,
            _ => OCELLUS_E_EXAMPLES,
        };
        Failure::new(status, error.to_string())
    }

    fn of_frame(error: &FrameError) -> Failure {
        let status = match error {
            FrameError::ZeroSize { .. }
            | FrameError::TooLarge { .. }
            | FrameError::OddWidth { .. } => OCELLUS_E_FRAME_SIZE,
            FrameError::Stride { .. } | FrameError::Overflow { .. } => OCELLUS_E_FRAME_STRIDE,
            FrameError::CropEmpty { .. } | FrameError::CropOutside { .. } => OCELLUS_E_FRAME_CROP,
            _ => OCELLUS_E_FRAME_PLANE,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Failure {
        Failure::of_bundle(&error)
    }
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Failure {
        Failure::of_frame(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_status_has_its_own_code_and_name() {
        let codes: BTreeSet<i32> = NAMES.iter().map(|(code, _)| *code).collect();
        let names: BTreeSet<&CStr> = NAMES.iter().map(|(_, name)| *name).collect();
        assert_eq!((codes.len(), names.len()), (NAMES.len(), NAMES.len()));
        assert_eq!(name(OCELLUS_E_BUSY), Some(c"OCELLUS_E_BUSY"));
        assert_eq!(name(-1), None);
    }

    #[test]
    fn every_status_of_the_header_is_named() {
        let source = include_str!("status.rs");
        let declared = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
        let declared: Vec<&str> = declared.collect();
        let named: Vec<&str> = NAMES
            .iter()
            .map(|(_, name)| name.to_str().expect("ASCII"))
            .collect();
        assert_eq!(declared, named);
    }
}
