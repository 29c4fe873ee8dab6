//! Fuzzing: a page of events. What must hold is in `nuncio_fuzz::events`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nuncio_fuzz::events::check(data));
