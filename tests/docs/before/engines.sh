cai init project
cp -r project/. .
