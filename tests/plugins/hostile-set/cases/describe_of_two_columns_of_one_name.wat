;; mapper

(data $port (i32.const 1240) (i32 2040 3 1 1280 2))
(data $state_field (i32.const 1300) (i32 2024 1 2030 5 0))
