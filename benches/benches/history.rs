//! What recording costs, as a ratio of two runs in one process, and what a step back does.
//!
//! `history/plain` and `history/recorded` run the same 100 million instructions: stores over 64 pages
//! in a loop, with the default TLB of 64 entries in 4 ways. `history/step-back` undoes one
//! instruction at their end.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, RecordOptions, Recording, Stop, Stops,
    Stream,
};

const INSTRUCTIONS: u64 = 100_000_000;

const PROGRAM: &[u8] = b"
    .386
    .model flat, stdcall
    .data?
block db 40000h dup (?)
    .code
start:
    xor ecx, ecx
again:
    add dword ptr block[ecx], ecx
    add ecx, 68
    cmp ecx, 3FF00h
    jb again
    jmp start
    end start
";

#[derive(Debug)]
struct Silent;

impl Console for Silent {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

fn machine() -> Machine<Listener> {
    let assembled = assemble("loop.asm", PROGRAM, &NoIncludes, &Options::default());
    let assembled = assembled.expect("the program assembles");
    let image = link(&assembled.object, &LinkOptions::default()).expect("it links");
    let debug = DebugInfo::new(&assembled, &image);
    let config = MachineConfig::default();
    Machine::load(&image, debug, &config, Box::new(Silent), Listener::deaf()).expect("it loads")
}

fn recorded() -> Recording {
    let recording = Recording::new(machine(), RecordOptions::default());
    let mut recording = recording.expect("it is recorded");
    let stop = recording.run(&Stops::NONE, INSTRUCTIONS);
    assert!(matches!(stop, Stop::Budget), "{stop:?}");
    recording
}

fn history(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("history");
    group.sample_size(10);
    group.throughput(Throughput::Elements(INSTRUCTIONS));
    group.bench_function("plain", |bencher| {
        bencher.iter(|| black_box(machine().run(INSTRUCTIONS)));
    });
    group.bench_function("recorded", |bencher| bencher.iter(|| black_box(recorded())));
    group.throughput(Throughput::Elements(1));
    let mut recording = recorded();
    group.bench_function("step-back", |bencher| {
        bencher.iter(|| {
            let stop = recording.step_back().expect("the past is kept");
            assert!(matches!(stop, Stop::Stepped), "{stop:?}");
        });
    });
    group.finish();
}

criterion_group!(benches, history);
criterion_main!(benches);
