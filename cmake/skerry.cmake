# Compiler options for everything, and the shapes that this project builds: one library a folder, programs, test programs.

add_library(skerry_options INTERFACE)
target_compile_options(skerry_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor)
if(SKERRY_WERROR)
  target_compile_options(skerry_options INTERFACE -Werror)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # It takes a .cc that is included for a header.
  target_compile_options(skerry_options INTERFACE -Wno-subobject-linkage)
endif()
target_include_directories(skerry_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(skerry_options INTERFACE SKERRY_VERSION="${PROJECT_VERSION}")
if(SKERRY_SANITIZE)
  target_compile_options(skerry_options INTERFACE -fsanitize=${SKERRY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(skerry_options INTERFACE -fsanitize=${SKERRY_SANITIZE})
endif()
find_program(SKERRY_MOLD mold)
if(SKERRY_MOLD)
  target_link_options(skerry_options INTERFACE -fuse-ld=mold)
endif()

# skerry_library(name [deps...]): every .cc below the current folder but main.cc, one library.
function(skerry_library name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC skerry_options ${ARGN})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE skerry_options ${ARGN})
  endif()
endfunction()

# skerry_program(name deps...): the folder's main.cc; linked from bin/ at the root.
function(skerry_program name)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/main.cc)
    add_executable(${name} main.cc)
    target_link_libraries(${name} PRIVATE ${ARGN})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  endif()
endfunction()

# For files of test cases: assertions are most of what they are, and expand to more than a compiler optimizes in good
# time. What they test, and what helps them, keeps its options.
set(SKERRY_ASSERTION_OPTIONS -O0 -DCATCH_CONFIG_FAST_COMPILE)

# skerry_test(folder deps...): tests/<folder>/*.cc as one Catch2 program whose test cases ctest knows one by one.
function(skerry_test folder)
  cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "LABELS;DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(target test_${folder})
  add_executable(${target} ${sources})
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  list(FILTER sources INCLUDE REGEX "_test\\.cc$")
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "${SKERRY_ASSERTION_OPTIONS}")
  target_link_libraries(${target} PRIVATE ${arg_UNPARSED_ARGUMENTS} Catch2::Catch2WithMain)
  target_compile_definitions(${target} PRIVATE
    SKERRY_BIN_DIR="${PROJECT_BINARY_DIR}/bin" SKERRY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(arg_DEPENDS)
    add_dependencies(${target} ${arg_DEPENDS})
  endif()
  catch_discover_tests(${target} TEST_PREFIX "${folder}: " DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${folder};${arg_LABELS}" RUN_SERIAL ${arg_SERIAL})
endfunction()
