//! A router as C sees it: of several sessions, the one that fits a frame and is quick enough just now.

use crate::{
    frame::ocellus_frame,
    guard,
    handle::{self, Handled, Table},
    infer::{answer, hits, ocellus_hit, ocellus_result},
    labels,
    log::OCELLUS_LOG_DEBUG,
    options::{crop, ocellus_session_options},
    pointer::{self, place},
    route::{Wanted, ocellus_candidate, ocellus_choice, ocellus_route, told},
    runtime::{Runtime, ocellus_runtime},
    session::Session,
    shared::Inside,
    sized::{self, Versioned},
    status::Failure,
};
use ocellus::{
    Policy, SessionOptions,
    route::{MatchBy, Router, Seat, Weights},
};
use std::{
    ffi::c_char,
    ops::{Deref, DerefMut},
    ptr,
    sync::Arc,
};

/// The most routes of a router.
const MAX_ROUTES: usize = 256;

/// Chooses among sessions for each frame. Threads share it: a route answers as many frames at once as it has sessions.
pub struct ocellus_router {
    _opaque: [u8; 0],
}

/// What a handle stands for.
pub(crate) struct Chooser {
    router: Router<Lent>,
    runtime: Arc<Runtime>,
}

impl Handled for Chooser {
    type Token = ocellus_router;
    const NAME: &'static str = "router";
    fn table() -> &'static Table<Chooser> {
        static TABLE: Table<Chooser> = Table::new();
        &TABLE
    }
}

/// A session that C has a handle of, too.
struct Lent(Arc<Session>);

/// This thread's turn with it.
struct Lease<'a>(Inside<'a>);

impl Seat for Lent {
    type Lease<'a> = Lease<'a>;

    fn lend(&mut self) -> Option<Lease<'_>> {
        self.0.shared.try_turn().ok().map(Lease)
    }
}

impl Deref for Lease<'_> {
    type Target = ocellus::Session;

    fn deref(&self) -> &ocellus::Session {
        &self.0.state.session
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut ocellus::Session {
        &mut self.0.state.session
    }
}

/// How a router chooses. Set up by ocellus_router_options_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ocellus_router_options {
    /// Set by ocellus_router_options_init.
    pub struct_size: u32,
    /// How much the match of a route's label counts, 0 or above. 0.7.
    pub semantic_weight: f32,
    /// How much being quick counts, 0 or above; not both are 0. 0.3.
    pub latency_weight: f32,
    /// Side in pixels at which frames are looked at to find out what they are, one of the bundle's; 0: the lowest. 0.
    pub resolution: u32,
    /// Words that are asked for, as labels, which then decide in the place of frames; copied. NULL: each frame decides,
    /// which is one more inference. NULL.
    pub words: *const *const c_char,
    /// How many words, texts in UTF-8 with a NUL. 0.
    pub word_count: u32,
    /// OCELLUS_CROP_...: which part of a frame is looked at to find out what it is. Where the sessions see the same part, a
    /// frame is read once. OCELLUS_CROP_CENTRE.
    pub crop: i32,
}

// SAFETY: repr(C), size first; pointers are any bytes but are only followed where the caller set them.
unsafe impl Versioned for ocellus_router_options {
    const NAME: &'static str = "ocellus_router_options";
    const FIRST: usize = 32;
    fn defaults() -> ocellus_router_options {
        let Weights { semantic, latency } = Weights::default();
        ocellus_router_options {
            struct_size: size_of::<ocellus_router_options>() as u32,
            semantic_weight: semantic,
            latency_weight: latency,
            resolution: 0,
            words: ptr::null(),
            word_count: 0,
            crop: ocellus_session_options::defaults().crop,
        }
    }
}

/// Sets router options up: every field has the value that its comment ends with.
///
/// struct_size    sizeof(ocellus_router_options)
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_STRUCT_SIZE. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_router_options_init(
    options: *mut ocellus_router_options,
    struct_size: u32,
) -> i32 {
    // SAFETY: NULL or `struct_size` writable bytes by the caller's word.
    guard::call(|| unsafe { sized::init(options, struct_size) })
}

/// Makes a router over routes. Every session is made ready, and the first of each route answers a grey frame twice, which
/// says how long the route takes.
///
/// runtime        in whose bundle's space routes are compared with frames or words; it may be freed before the router is.
/// options        NULL: the defaults.
/// routes         `route_count` of them, at most 256, all of one struct_size; copied. Their sessions may be on any
///                runtimes. They stay the caller's: a session that is used beside the router, by its handle, is busy
///                for it meanwhile, and one that is freed goes with the router.
/// router         receives a handle that the caller frees with ocellus_router_free.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_UTF8, OCELLUS_E_MODEL, OCELLUS_E_MEMORY;
/// OCELLUS_E_ARGUMENT for no route, one name twice, a route without a session or a threshold, a session with a worker;
/// OCELLUS_E_LABELS for a name, a label or words that cannot be used, OCELLUS_E_NO_LABELS for a session without labels;
/// OCELLUS_E_POLICY where the bundle has no such resolution; OCELLUS_E_BUSY where a session is in use. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_router_new(
    runtime: *const ocellus_runtime,
    options: *const ocellus_router_options,
    routes: *const ocellus_route,
    route_count: usize,
    router: *mut *mut ocellus_router,
) -> i32 {
    guard::call(|| {
        let to = place(router, "router")?;
        let runtime = handle::get::<Runtime>(runtime)?;
        let made = runtime.log.failures(|| {
            let options = match options.is_null() {
                true => ocellus_router_options::defaults(),
                // SAFETY: not NULL, and as long as it says by the caller's word.
                false => unsafe { sized::read(options)? },
            };
            // SAFETY: as many words as it says, by the caller's word.
            let words = unsafe { options.words()? };
            // SAFETY: as many routes as it says, by the caller's word.
            let routes = unsafe { read(routes, route_count)? };
            let mut scout = ocellus::Session::new(
                Arc::clone(&runtime.engine),
                SessionOptions {
                    policy: Some(Policy::Fixed(match options.resolution {
                        0 => runtime.engine.resolutions()[0],
                        side => side,
                    })),
                    crop: crop(options.crop, ocellus_router_options::NAME)?,
                    ..SessionOptions::default()
                },
            )?;
            let by = match words {
                None => MatchBy::Frame,
                Some(words) => {
                    scout.set_labels(words)?;
                    MatchBy::Words
                }
            };
            let weights = Weights {
                semantic: options.semantic_weight,
                latency: options.latency_weight,
            };
            let seats = |sessions: Vec<Arc<Session>>| sessions.into_iter().map(Lent).collect();
            let routes = routes
                .into_iter()
                .map(|(route, sessions)| (route, seats(sessions)))
                .collect();
            Ok(Chooser {
                router: Router::new(scout, by, weights, routes)?,
                runtime: Arc::clone(&runtime),
            })
        })?;
        let handle = handle::put(made);
        // SAFETY: not NULL, and writable by the caller's word.
        unsafe { to.write_unaligned(handle) };
        Ok(())
    })
}

/// Says which labels fit a frame, by the route that is best for it just now. The answer is complete when the call returns,
/// and does not say where labels are.
///
/// frame           is read during the call only, and not changed; its bytes must not change meanwhile.
/// result          set up by ocellus_result_init. Its times include finding out what the frame is.
/// hits            room for `hit_capacity` hits, best first; NULL where that is 0. Their labels are those of the session
///                 that answered.
/// choice          set up by ocellus_choice_init; NULL: it is not said.
/// candidates      room for `candidate_capacity` candidates, one for each route in the order of the list; NULL where that
///                 is 0. Those for which there is no room are left out.
///
/// Errors: OCELLUS_E_NULL, OCELLUS_E_HANDLE, OCELLUS_E_STRUCT_SIZE, OCELLUS_E_ARGUMENT, OCELLUS_E_FRAME_...,
/// OCELLUS_E_MODEL, OCELLUS_E_MEMORY; OCELLUS_E_NO_ROUTE where every route is skipped, and the message says why of each;
/// OCELLUS_E_ROUTE_CHANGED where a session was swapped to a bundle that sees another part of a frame. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_router_infer(
    router: *const ocellus_router,
    frame: *const ocellus_frame,
    result: *mut ocellus_result,
    hits: *mut ocellus_hit,
    hit_capacity: usize,
    choice: *mut ocellus_choice,
    candidates: *mut ocellus_candidate,
    candidate_capacity: usize,
) -> i32 {
    guard::call(|| {
        let chooser = handle::get::<Chooser>(router)?;
        let log = &chooser.runtime.log;
        log.failures(|| {
            // SAFETY: NULL or as long as it says, by the caller's word.
            let size = unsafe { sized::check(result)? };
            let choice_size = match choice.is_null() {
                true => None,
                // SAFETY: not NULL, and as long as it says by the caller's word.
                false => Some(unsafe { sized::check(choice)? }),
            };
            pointer::array(hits, hit_capacity, "hits")?;
            pointer::array(candidates, candidate_capacity, "candidates")?;
            // SAFETY: NULL or as long as it says, and so are its planes, by the caller's word.
            let given = unsafe { sized::read(frame)? };
            // SAFETY: as above.
            let mapped = unsafe { given.map()? };
            let routed = chooser.router.infer(&mapped.frame()?)?;
            let (report, chosen) = (&routed.report, &routed.route);
            log.write(OCELLUS_LOG_DEBUG, || {
                format!("route {}: {}", chosen.taken, report.reason)
            });

            for (index, hit) in self::hits(report).take(hit_capacity).enumerate() {
                // SAFETY: the index is below the capacity, which is writable by the caller's word.
                unsafe { hits.add(index).write(hit) };
            }
            let stood = chosen.candidates.iter().take(candidate_capacity);
            for (index, one) in stood.enumerate() {
                // SAFETY: as above.
                unsafe { candidates.add(index).write(one.into()) };
            }
            if let Some(size) = choice_size {
                let count = chosen.candidates.len().min(candidate_capacity);
                // SAFETY: `size` is what the check returned for it.
                unsafe { sized::write(&told(chosen, count), choice, size) };
            }
            let hit_count = report.labels.len().min(hit_capacity);
            let answer = answer(report, hit_count, (given.timestamp_ns, given.cookie));
            // SAFETY: `size` is what the check returned for it.
            unsafe { sized::write(&answer, result, size) };
            Ok(())
        })
    })
}

/// Frees a router. Its sessions stay the caller's. A call of another thread that is inside of it ends as if it were not
/// freed. NULL is fine.
///
/// Errors: OCELLUS_E_HANDLE where it was freed before. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ocellus_router_free(router: *mut ocellus_router) -> i32 {
    guard::call(|| handle::free::<Chooser>(router))
}

impl ocellus_router_options {
    /// # Safety
    /// `words` points to `word_count` texts with a NUL each.
    unsafe fn words(&self) -> Result<Option<Vec<String>>, Failure> {
        if self.words.is_null() && self.word_count == 0 {
            return Ok(None);
        }
        let count = self.word_count as usize;
        // SAFETY: handed through.
        unsafe { labels::read(self.words, ptr::null(), count, "words").map(Some) }
    }
}

/// Routes of a caller whose struct may have another size than this library's.
///
/// # Safety
/// `routes` points to `count` routes that keep the header's word.
unsafe fn read(routes: *const ocellus_route, count: usize) -> Result<Vec<Wanted>, Failure> {
    if count > MAX_ROUTES {
        let message = format!("route_count: expected 1 to {MAX_ROUTES}, got {count}");
        return Err(Failure::argument(message));
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: one route at least by the caller's word.
    let size = unsafe { sized::check(routes)? };
    let route = |index: usize| {
        // SAFETY: each route but the last is followed by another one at the distance of their size.
        let at = unsafe { routes.byte_add(index * size) };
        // SAFETY: the size itself is readable by the caller's word. A route that says to be larger may not be.
        let other = unsafe { at.cast::<u32>().read_unaligned() } as usize;
        if other != size {
            let message = format!("routes[{index}]: expected a struct_size of {size}, got {other}");
            return Err(Failure::argument(message));
        }
        // SAFETY: as long as it says, by the caller's word.
        let route = unsafe { sized::read(at)? };
        // SAFETY: handed through.
        unsafe { route.wanted(index) }
    };
    (0..count).map(route).collect()
}
