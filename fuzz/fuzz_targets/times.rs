//! Fuzzing: dates, moments and rules. What must hold is in `nuncio_fuzz::times`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nuncio_fuzz::times::check(data));
