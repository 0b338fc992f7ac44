//! scratch
use std::time::Instant;
use ocellus_encoder::*;
use ocellus_kernels::Isa;
fn rss() -> f64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let l = s.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    l.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
fn hwm() -> f64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let l = s.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    l.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&args[1]).unwrap();
    let outs: Vec<&str> = args[2].split(',').collect();
    println!("start rss {:.1}", rss());
    let t = Instant::now();
    let m = CheckedModel::scan(&args[1], &bytes, &Limits::default()).unwrap();
    println!("scan {:?}", t.elapsed());
    let input = m.inputs()[0].name.clone();
    let t = Instant::now();
    let e = Encoder::new(m, Isa::Scalar).unwrap();
    println!("new {:?} rss {:.1}", t.elapsed(), rss());
    let mut plans = vec![];
    for side in args[3].split(',') {
        let side: usize = side.parse().unwrap();
        let t = Instant::now();
        let p = e.plan(&input, &[Dim::Fixed(1), Dim::Fixed(3), Dim::Fixed(side), Dim::Fixed(side)], &outs).unwrap();
        println!("plan {side} {:?} rss {:.1} hwm {:.1}", t.elapsed(), rss(), hwm());
        plans.push((side, p));
    }
    drop(e);
    println!("encoder dropped rss {:.1}", rss());
    for (side, p) in &plans {
        let x: Vec<f32> = match std::fs::read(format!("/tmp/ocenc-in-{side}.f32")) {
            Ok(b) => b.chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect(),
            Err(_) => (0..3 * side * side).map(|i| ((i % side) as f32 * 0.05).sin()).collect(),
        };
        p.run(Input::F32(&x)).unwrap();
        let t = Instant::now();
        let n = 5;
        let mut r = vec![];
        for _ in 0..n { r = p.run(Input::F32(&x)).unwrap(); }
        println!("run {side} {:?} rss {:.1} macs {:?}", t.elapsed() / n, rss(), p.steps().iter().filter_map(|s| s.macs).sum::<u64>());
        for (o, t) in outs.iter().zip(&r) {
            let b: Vec<u8> = t.data.iter().flat_map(|v| v.to_le_bytes()).collect();
            std::fs::write(format!("/tmp/ocenc-out-{o}-{side}.f32"), b).unwrap();
        }
    }
    if args.len() > 4 { for s in plans[0].1.steps() { println!("{:40} {:20} {:?} {} {} {:?}", s.node, s.op, s.shape, s.precision, s.reason.map(|r| r.to_string()).unwrap_or_default(), s.macs); } }
}
