//! A session's worker: the thread that computes submitted frames and calls on_result.

use crate::{
    guard,
    infer::{answer, hits, ocellus_hit, ocellus_result},
    log::OCELLUS_LOG_DEBUG,
    options::{OCELLUS_WHEN_BUSY_REFUSE, ocellus_session_options},
    queue::{Queue, Waiting},
    runtime::{Runtime, no_such_cpu},
    shared::{Places, Shared, lock},
    sized::Versioned,
    status::{Failure, OCELLUS_E_MEMORY, OCELLUS_E_THREAD, OCELLUS_OK},
    submit::{OCELLUS_RESULT_STALE, OCELLUS_RESULT_THROTTLED, ocellus_result_fn},
};
use ocellus::{Reader, Reading, sys};
use std::{
    ffi::c_void,
    path::Path,
    ptr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// The callers' side of a worker.
pub(crate) struct Worker {
    pub queue: Arc<Queue>,
    /// Reads frames for the queue, one at a time.
    pub reader: Mutex<Reader>,
    /// Whether a frame is refused while another one waits.
    pub refuses: bool,
    key: sys::ThreadKey,
    /// Until it is stopped.
    thread: Mutex<Option<sys::Worker>>,
}

/// Where answers go.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    function: ocellus_result_fn,
    context: *mut c_void,
}

// SAFETY: the context is only handed to the callback, which is called in the worker by the header's word.
unsafe impl Send for Callback {}

impl Callback {
    /// The callback of a session's options, where they have one.
    ///
    /// # Safety
    /// It keeps the header's word for as long as the session lives.
    pub unsafe fn of(options: &ocellus_session_options) -> Option<Callback> {
        options.on_result.is_some().then_some(Callback {
            function: options.on_result,
            context: options.on_result_context,
        })
    }

    /// Calls it, with no lock held.
    fn call(&self, status: i32, result: &ocellus_result, hits: &[ocellus_hit]) {
        let Some(function) = self.function else {
            return;
        };
        let hits = match hits {
            [] => ptr::null(),
            hits => hits.as_ptr(),
        };
        // SAFETY: the callback keeps the header's word, and what is pointed to lives during the call.
        unsafe { function(self.context, status, result, hits) };
    }
}

impl Worker {
    /// Starts a session's worker.
    pub fn start(
        shared: &Arc<Shared>,
        reader: Reader,
        callback: Callback,
        options: &ocellus_session_options,
    ) -> Result<Worker, Failure> {
        let queue = Arc::new(Queue::new());
        let mut work = Work {
            shared: Arc::clone(shared),
            queue: Arc::clone(&queue),
            callback,
            stale_after: Duration::from_micros(options.stale_after_us.into()),
            cooling: sys::Cooling::of(Path::new(sys::COOLING_DEVICES)),
            hits: Vec::new(),
        };
        let thread = sys::Worker::spawn("ocellus", move || work.run()).map_err(|error| {
            Failure::new(
                OCELLUS_E_THREAD,
                format!("the system gave no thread for the session's worker: {error}"),
            )
        })?;
        let worker = Worker {
            queue,
            reader: Mutex::new(reader),
            refuses: options.when_busy == OCELLUS_WHEN_BUSY_REFUSE,
            key: thread.key(),
            thread: Mutex::new(Some(thread)),
        };
        worker.keep_to(&shared.runtime())?;
        Ok(worker)
    }

    /// Keeps the worker to the CPUs of a runtime.
    pub fn keep_to(&self, runtime: &Runtime) -> Result<(), Failure> {
        let Some(thread) = &*lock(&self.thread) else {
            return Ok(());
        };
        let cpus = runtime.cpu_mask;
        thread
            .keep_to(cpus)
            .map_err(|error| no_such_cpu(cpus, error))
    }

    /// Whether this thread is the worker.
    pub fn is_this_thread(&self) -> bool {
        sys::ThreadKey::this() == self.key
    }

    /// Drops the frame that waits, and waits until the one in work is answered. No callback comes after.
    pub fn stop(&self) {
        self.queue.close();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The worker's side.
struct Work {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    callback: Callback,
    stale_after: Duration,
    cooling: sys::Cooling,
    /// Those of the last answer.
    hits: Vec<ocellus_hit>,
}

impl Work {
    fn run(&mut self) {
        while let Some(mut frame) = self.queue.take() {
            let mut result = ocellus_result {
                timestamp_ns: frame.timestamp_ns,
                cookie: frame.cookie,
                ..ocellus_result::defaults()
            };
            self.hits.clear();
            let status = self.compute(&frame, &mut result);
            if status != OCELLUS_OK {
                self.hits.clear();
                self.shared.set_answered(None);
            }
            if status == OCELLUS_E_MEMORY {
                frame.reading = Reading::default();
            }
            result.dropped = frame.dropped;
            if !self.stale_after.is_zero()
                && Duration::from_micros(result.queue_us) > self.stale_after
            {
                result.flags |= OCELLUS_RESULT_STALE;
            }
            if self.cooling.throttled(Instant::now()) {
                result.flags |= OCELLUS_RESULT_THROTTLED;
            }
            self.callback.call(status, &result, &self.hits);
            self.queue.done(frame);
        }
    }

    /// Fills the result and the hits; returns the status, whose message this thread has then.
    fn compute(&mut self, frame: &Waiting, result: &mut ocellus_result) -> i32 {
        guard::call(|| {
            let runtime = self.shared.runtime();
            runtime.log.failures(|| {
                let mut inside = self.shared.wait_turn()?;
                result.queue_us = frame.accepted.elapsed().as_micros() as u64;
                guard::checkpoint();
                let state = &mut *inside.state;
                let report = &mut state.report;
                state.session.infer_reading(&frame.reading, report)?;
                // After a swap this is not the runtime of before.
                let log = self.shared.runtime();
                log.log.write(OCELLUS_LOG_DEBUG, || report.reason.clone());
                self.hits.extend(hits(report));
                *result = ocellus_result {
                    queue_us: result.queue_us,
                    ..answer(report, self.hits.len(), (frame.timestamp_ns, frame.cookie))
                };
                let places = Places::take(report);
                self.shared.set_answered(places.clone());
                state.places = places;
                Ok(())
            })
        })
    }
}
