//! The log callback: the only way in which this library says something unasked.

use crate::{guard, status::Failure};
use std::ffi::{CString, c_char, c_void};

/// Log level: nothing is logged.
pub const OCELLUS_LOG_OFF: i32 = 0;
/// Log level: a call failed.
pub const OCELLUS_LOG_ERROR: i32 = 1;
/// Log level: also what a person should know of, such as words of a label that the bundle does not know.
pub const OCELLUS_LOG_WARN: i32 = 2;
/// Log level: also what was loaded.
pub const OCELLUS_LOG_INFO: i32 = 3;
/// Log level: also why each frame was seen at its resolution.
pub const OCELLUS_LOG_DEBUG: i32 = 4;

/// Takes a message: UTF-8 with a NUL, valid during the call. It is called in the thread that made the call it is about,
/// or in a session's worker; so in several at once where several threads use the runtime. It may call this library, but
/// for the session that the message is about (OCELLUS_E_BUSY, or OCELLUS_E_IN_CALLBACK). It must return: no longjmp, no C++
/// exception.
pub type ocellus_log_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, level: i32, message: *const c_char)>;

/// Where messages go.
pub(crate) struct Log {
    function: ocellus_log_fn,
    context: *mut c_void,
    level: i32,
}

// SAFETY: the context is only handed to the callback, which takes calls from any thread by the header's word.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

impl Log {
    /// # Safety
    /// `function` keeps the header's word for as long as the log lives.
    pub unsafe fn new(
        function: ocellus_log_fn,
        context: *mut c_void,
        level: i32,
    ) -> Result<Log, Failure> {
        if !(OCELLUS_LOG_OFF..=OCELLUS_LOG_DEBUG).contains(&level) {
            return Err(Failure::argument(format!(
                "ocellus_runtime_options: log_level: expected {OCELLUS_LOG_OFF} to {OCELLUS_LOG_DEBUG}, got {level}"
            )));
        }
        Ok(Log {
            function,
            context,
            level,
        })
    }

    /// Logs a message, which is made only where somebody hears it.
    pub fn write(&self, level: i32, message: impl FnOnce() -> String) {
        let Some(function) = self.function else {
            return;
        };
        if level > self.level {
            return;
        }
        let text = CString::new(message().replace('\0', " ")).unwrap_or_default();
        // SAFETY: the callback keeps the header's word, and the text is alive during the call.
        unsafe { function(self.context, level, text.as_ptr()) };
    }

    /// Runs `body` and logs its failure, a panic among them.
    pub fn failures<T>(&self, body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        guard::caught(body).inspect_err(|failure| {
            self.write(OCELLUS_LOG_ERROR, || failure.message.clone());
        })
    }
}
