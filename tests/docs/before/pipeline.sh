. tests/docs/before/project.inc
# One short training, so that the pipeline has something to carry out.
sed -i '/^pipeline:/,/^  report:/d' cai.yaml
cat >> cai.yaml <<'END'

pipeline:
  validate: skip
  train:
    - name: dpo
      method: dpo
      settings:
        model: {name: smollm2-135m-instruct, adapt: top, top_layers: 1}
        training: {max_steps: 1, batch_size: 2, micro_batch_size: 2, max_length: 64}
END
