//! The whole job with a bundle: every stage from a picture's bytes to the report.

use super::{
    Arguments, Conditions, Measured, Scene, camera::Camera, marks, ops, picture, stage, warm_up,
};
use crate::{Usage, loading};
use ocellus::{
    Bundle, Engine, Error, Policy, Report, Session, SessionOptions, StagesUs,
    bundle::ImageFiles,
    encoder::{Input, Tensor},
    sys::Marks,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Instant};

/// A stage's name and its time in microseconds.
pub type Stage = (&'static str, fn(&StagesUs) -> u64);

/// The stages, in the order of the flow.
pub const STAGES: [Stage; 6] = [
    ("decode", |us| us.decode),
    ("look", |us| us.look),
    ("resize", |us| us.resize),
    ("encode", |us| us.encode),
    ("heads", |us| us.heads),
    ("total", |us| us.total),
];

/// Measures it.
pub fn run(
    arguments: &Arguments,
    bundle: Bundle,
    conditions: &mut Conditions,
) -> anyhow::Result<Measured> {
    let start = Instant::now();
    let counts = arguments.counts();
    let bundle = Arc::new(bundle);
    let parts = Arc::default();
    let load = |threads: usize| {
        let pool = arguments.pool(threads, &parts)?;
        let engine = loading::engine(Arc::clone(&bundle), pool)?;
        anyhow::Ok(Arc::new(engine))
    };
    let engine = load(counts[0])?;
    let load_us = start.elapsed().as_micros() as u64;
    let picture = picture(arguments, engine.bundle())?;
    let resolutions = match arguments.resolution {
        None => engine.resolutions().to_vec(),
        Some(side) if engine.resolutions().contains(&side) => vec![side],
        Some(side) => {
            return Err(Usage(format!(
                "--resolution: expected one of {:?}, got {side}",
                engine.resolutions()
            ))
            .into());
        }
    };
    let policies = match (arguments.resolution, arguments.markers) {
        (None, false) => &arguments.policy[..],
        _ => &[],
    };
    let (mut rows, mut by_policy) = (Vec::new(), Vec::new());
    for &threads in &counts {
        let engine = match threads == engine.threads() {
            true => Arc::clone(&engine),
            false => load(threads)?,
        };
        for &side in &resolutions {
            let mut row = match arguments.markers {
                true => mark(&engine, &parts, side, &picture)?,
                false => at_resolution(&engine, side, &picture, arguments, conditions)?,
            };
            row["threads"] = threads.into();
            rows.push(row);
        }
        for name in policies {
            let policy = name.of(engine.bundle().manifest());
            let mut row = measure(&engine, policy, &picture, arguments, conditions)?;
            row["threads"] = threads.into();
            by_policy.push(row);
        }
    }
    let manifest = engine.bundle().manifest();
    let scene = Scene::new(&picture, manifest)?;
    let policy = json!({
        "entropy_bits": manifest.policy.entropy_bits,
        "resolutions": manifest.image.resolutions,
        "picture_bits": scene.look(&scene.frame()?).entropy_bits(),
    });
    Ok(Measured {
        isa: engine.isa(),
        model: manifest.image.file.all().join(", "),
        load_us,
        threads: counts,
        rows,
        policies: by_policy,
        policy,
    })
}

/// A session with the bundle's golden prompts as its labels.
fn session(engine: &Arc<Engine>, policy: Policy) -> Result<Session, Error> {
    let options = SessionOptions {
        policy: Some(policy),
        ..SessionOptions::default()
    };
    let mut session = Session::new(Arc::clone(engine), options)?;
    session.set_labels(engine.bundle().manifest().golden.prompts.clone())?;
    Ok(session)
}

/// One resolution, and where it is asked for each operation of the image encoder.
fn at_resolution(
    engine: &Arc<Engine>,
    side: u32,
    picture: &[u8],
    arguments: &Arguments,
    conditions: &mut Conditions,
) -> anyhow::Result<Value> {
    let mut row = measure(engine, Policy::Fixed(side), picture, arguments, conditions)?;
    if arguments.ops {
        let scene = Scene::new(picture, engine.bundle().manifest())?;
        let pixels = scene.normalized(&scene.rgb(side)?, side);
        let plan = engine.image_plan(side)?;
        row["steps"] = ops::measure(plan, Input::F32(&pixels), arguments.iterations)?;
    }
    Ok(row)
}

/// One policy: preparation, warm-up, then every stage's p50, p95 and p99 in microseconds. The picture is one, so every run
/// goes the same way.
fn measure(
    engine: &Arc<Engine>,
    policy: Policy,
    picture: &[u8],
    arguments: &Arguments,
    conditions: &mut Conditions,
) -> anyhow::Result<Value> {
    let mut session = session(engine, policy)?;
    let start = Instant::now();
    session.warm_up()?;
    let prepare_us = start.elapsed().as_micros() as u64;
    let scene = Scene::new(picture, engine.bundle().manifest())?;
    let camera = arguments.camera.then(|| Camera::new(&scene.picture));
    let frame = camera.as_ref().map(Camera::frame).transpose()?;
    let mut infer = || match &frame {
        Some(frame) => session.infer(frame),
        None => session.infer_picture(picture),
    };
    let (warm_up_runs, steady) = warm_up(arguments.iterations, || {
        Ok::<_, Error>(infer()?.stages_us.total)
    })?;
    let (runs, energy) = conditions.record(arguments.iterations, || {
        (0..arguments.iterations)
            .map(|_| infer())
            .collect::<Result<Vec<Report>, Error>>()
    });
    let reports = runs?;
    let last = reports.last().cloned().unwrap_or_default();
    let runs: Vec<_> = reports.iter().map(|report| report.stages_us).collect();
    let stages: serde_json::Map<_, _> = STAGES
        .iter()
        .map(|(name, us)| (name.to_string(), stage(runs.iter().map(us).collect())))
        .collect();
    let mut row = json!({
        "resolution": last.resolution,
        "prepare_us": prepare_us,
        "warm_up_runs": warm_up_runs,
        "steady": steady,
        "state": conditions.now(),
        "stages": stages,
        "energy": energy,
        "totals_us": runs.iter().map(|us| us.total).collect::<Vec<_>>(),
    });
    if last.policy != "fixed" {
        row["policy"] = last.policy.into();
        row["escalated"] = last.escalated.into();
    }
    Ok(row)
}

/// One resolution, marked: each step, the whole job of the picture and of a camera's frame in memory, the encoder and the
/// head's classifier from bytes, and from f32. A counter that keeps one region has the last.
fn mark(engine: &Arc<Engine>, parts: &Marks, side: u32, picture: &[u8]) -> anyhow::Result<Value> {
    let scene = Scene::new(picture, engine.bundle().manifest())?;
    let (mut session, frame, rgb) = (
        session(engine, Policy::Fixed(side))?,
        scene.frame()?,
        scene.rgb(side)?,
    );
    let pixels = scene.normalized(&rgb, side);
    let with_logits = |(map, features): (Option<Tensor>, Vec<f32>)| {
        let logits = engine.logits(&features);
        (map, features, logits)
    };

    let mut regions = marks::Regions::default();
    let mut steps = regions.steps(engine.image_plan(side)?, Input::F32(&pixels))?;
    let (_, features) = engine.encode(side, &rgb)?;
    if let Some(logits) = engine.logits(&features) {
        regions.mark("step", || Ok::<_, Error>(engine.logits(&features)))?;
        let macs = logits.len() * features.len();
        steps.push(json!({"name": "logits", "op": "Gemm", "kernel": "head", "macs": macs}));
    }
    let image = &engine.bundle().manifest().image;
    let index = image.resolutions.iter().position(|&of| of == side);
    let file = image.file.at(index.unwrap_or(0));
    // A model of one resolution is loaded for that alone.
    let resolutions = match &image.file {
        ImageFiles::One(_) => engine.resolutions(),
        ImageFiles::Each(_) => &[side],
    };
    regions.load(&marks::Loading {
        file,
        bytes: engine.bundle().file(file)?,
        isa: engine.isa(),
        regions: true,
        input: "image",
        outputs: engine.image_outputs(),
        resolutions,
    })?;
    regions.mark("total", || session.infer(&frame))?;
    let camera = Camera::new(&scene.picture);
    let large = camera.frame()?;
    regions.mark("camera", || session.infer(&large))?;
    regions.mark("from_pixels", || engine.encode(side, &rgb).map(with_logits))?;
    let input = Input::F32(&pixels);
    let plan = engine.image_plan(side)?;
    regions.mark("layers", || -> Result<_, Error> {
        let mut outputs = plan.run_observed(input, &mut marks::Apart)?;
        let features = outputs.pop().unwrap_or_default();
        Ok(with_logits((outputs.pop(), features.data)))
    })?;
    regions.shares(parts, || engine.encode_input(side, input).map(with_logits))?;
    regions.mark("encode", || {
        engine.encode_input(side, input).map(with_logits)
    })?;
    Ok(regions.row(side, &frame, steps))
}
