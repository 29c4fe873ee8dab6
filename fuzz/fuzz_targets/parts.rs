//! Fuzzing: the bytes of a mail, as Gmail's parts. What must hold is in `nuncio_fuzz::parts`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nuncio_fuzz::parts::check(data));
