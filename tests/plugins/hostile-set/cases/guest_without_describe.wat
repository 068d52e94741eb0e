;; whole
;; The interface is there, and its functions are not.

(component
  (core module $module (func (export "f")))
  (core instance $instance (instantiate $module))
  (func $other (canon lift (core func $instance "f")))
  (instance $guest (export "other" (func $other)))
  (export "weir:operator/guest@0.1.0" (instance $guest)))
