//! What benchmarks share: mails like those of a company, and a clock of the processor time that
//! this process has used. The benchmarks are in `benches/`.

mod cpu;
mod mails;

pub use cpu::cpu_time;
pub use mails::mails;
