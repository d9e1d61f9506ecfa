//! What a client reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scrip_protocol_fuzz::response(data));
