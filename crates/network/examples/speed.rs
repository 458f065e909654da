//! How long a sandbox takes, with and without a spare: `cargo run --release -p network --example speed` as root.
//! Plays in a network namespace of its own. Wall times in µs, and the process's CPU for one container, all of it.

use std::time::{Duration, Instant};

use network::{BridgeConfig, EndpointRequest, Names, Networks};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 100;

fn main() {
    sys::namespace::unshare(sys::namespace::Kinds::NETWORK).expect("root needed");
    let start = Instant::now();
    let config = BridgeConfig::new(Names::of_data_root("/test/speed".as_ref()));
    let networks = Networks::open(&config.owner, network::Options::default()).expect("open");
    networks.open_default("default", &config).expect("bridge");
    println!("open                 {:7.0}", micros(start.elapsed()));
    for spare in [false, true, false, true] {
        round(&networks, spare);
    }
    let mut isolated: Vec<f64> =
        (0..ROUNDS).map(|_| timed(|| drop(network::isolated(None).expect("isolated")))).collect();
    println!("isolated             {}", summary(&mut isolated));
}

fn round(networks: &Networks, spare: bool) {
    let (mut walls, before) = (Vec::new(), cpu());
    for i in 0..ROUNDS {
        if spare {
            networks.prefetch();
        }
        std::thread::sleep(Duration::from_millis(20));
        let container = i.to_string();
        let request = EndpointRequest { network: "default".into(), ..EndpointRequest::default() };
        walls.push(timed(|| {
            drop(networks.sandbox(&container, std::slice::from_ref(&request), false).expect("sandbox"))
        }));
        networks.release(&container, "default");
    }
    let each = (cpu() - before) / ROUNDS as f64;
    println!("sandbox, spare {spare:5} {}; CPU {each:5.0}", summary(&mut walls));
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    micros(start.elapsed())
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn cpu() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

fn summary(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values[(values.len() as f64 * part) as usize];
    format!("{:7.0} median, {:7.0} least, {:7.0} of 90 %", at(0.5), at(0.0), at(0.9))
}
